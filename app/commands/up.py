"""`up`: everything on one machine."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console
from rich.table import Table

from app.commands.data_folder import DataFolder
from app.commands.failure import CommandFailed
from app.commands.local_stack import DEMO_EMAIL, LocalStack, choose_ports
from app.commands.options import DEFAULT_DATA, DataOption
from app.core.logging import configure_logging
from app.core.settings import read_settings
from app.embedded.private_files import held
from app.embedded.supervisor import Supervisor, print_lines
from app.seed import seed_demo

READY_SECONDS: Final = 120.0
NAME_WIDTH: Final = 10


def up(
    data: DataOption = DEFAULT_DATA,
    port: Annotated[
        int | None,
        typer.Option(
            envvar="PENGUINMAILS_PORT", help="Port of the API; default 8000, or a free one.", min=1, max=65535
        ),
    ] = None,
) -> None:
    """Run everything here: PostgreSQL, Redis, API, relay, workers and the sandbox. Ctrl-C stops all of it.

    Settings replace any part by a real server: PENGUINMAILS_OLTP_URL, PENGUINMAILS_CONTENT_URL, PENGUINMAILS_OLAP_URL,
    PENGUINMAILS_REDIS_URL."""
    configure_logging("warning", as_json=False)
    folder = DataFolder(data)
    folder.make()
    supervisor = Supervisor(say=print_lines(NAME_WIDTH))
    with held(folder.lock()), supervisor.stopping_on_signals():
        folder.forget_endpoints()
        try:
            _run(LocalStack(folder, supervisor, choose_ports(folder, port)), folder, supervisor)
        finally:
            supervisor.say("up", "stopping")
            folder.forget_endpoints()
            supervisor.stop()


def _run(stack: LocalStack, folder: DataFolder, supervisor: Supervisor) -> None:
    steps: list[tuple[str, Callable[[], None]]] = [
        ("starting PostgreSQL and Redis", stack.start_servers),
        ("migrating", stack.migrate),
        ("keeping the settings", lambda: folder.write_environment(stack.variables)),
        ("starting the sandbox", stack.start_sandbox),
        ("waiting for the sandbox", lambda: _wait_until_ready(stack.sandbox_livez, supervisor)),
        ("seeding the demo tenant", lambda: _seed(stack)),
        ("starting API, relay and workers", stack.start_processes),
        ("waiting for the API", lambda: _wait_until_ready(stack.readyz, supervisor)),
    ]
    for sentence, step in steps:
        if supervisor.stop_asked:
            return
        supervisor.say("up", sentence)
        step()
    if supervisor.stop_asked:
        return
    folder.write_endpoints(stack.endpoints())
    _print_endpoints(stack.endpoints(), folder)
    supervisor.run()


def _seed(stack: LocalStack) -> None:
    os.environ.update(stack.process_environment())
    asyncio.run(seed_demo(read_settings(), email=DEMO_EMAIL, password=stack.demo_password))


def _wait_until_ready(url: str, supervisor: Supervisor) -> None:
    """Watches the children meanwhile, so that one that crashes is started again."""
    deadline = time.monotonic() + READY_SECONDS
    with httpx.Client(timeout=2, trust_env=False) as client:
        supervisor.run(until=lambda: _is_ready(client, url) or time.monotonic() > deadline)
        if supervisor.stop_asked or _is_ready(client, url):
            return
        raise CommandFailed(f"{url} did not answer within {READY_SECONDS:.0f} s; the lines above say why.")


def _is_ready(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _print_endpoints(endpoints: Mapping[str, str], folder: DataFolder) -> None:
    shown = (
        "graphql",
        "graphqlWs",
        "graphqlStream",
        "readyz",
        "metrics",
        "sandbox.smtp",
        "demo.email",
        "demo.password",
    )
    table = Table(title="PenguinMails is running", show_header=False, title_justify="left")
    for name in shown:
        table.add_row(name, endpoints[name])
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(f"All of it, with the databases: {folder.endpoints_file}", markup=False)
    console.print("Next: penguinmails demo --contacts FILE.csv      Ctrl-C stops everything.", markup=False)
