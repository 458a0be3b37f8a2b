"""`doctor`: what is wrong with a set-up, in sentences."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from app.commands.data_folder import tier_urls, use_settings_of
from app.commands.finding import Finding, Health, wrong
from app.commands.options import DEFAULT_DATA, DataOption
from app.commands.server_checks import Room, check_connections, check_redis, check_system_role, check_tier
from app.commands.settings_checks import check_python, check_secret_files, check_settings
from app.core.settings import Settings, SettingsInvalid, read_settings

STYLES: Final = {Health.OK: "green", Health.NOTE: "yellow", Health.WRONG: "red"}


def doctor(
    processes: Annotated[
        int, typer.Option(min=1, help="How many API, relay and worker processes will run in all.")
    ] = 4,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Check interpreter, settings, servers, roles, walls, migrations, Redis' policy, connections and secret files.
    Exits with 1 when something is wrong. Changes nothing."""
    use_settings_of(data, as_operator=True)
    findings = asyncio.run(examine(data, processes))
    console = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        console.print(f"[{STYLES[finding.health]}]{finding.health:<5}[/]", end=" ")
        console.print(finding.sentence, markup=False)
    problems = sum(finding.health is Health.WRONG for finding in findings)
    console.print(f"{problems} wrong." if problems else "Nothing is wrong.")
    raise typer.Exit(1 if problems else 0)


async def examine(data: Path, processes: int) -> list[Finding]:
    """All findings, in the order in which a person would mend them."""
    findings = [check_python(), *check_secret_files(data)]
    try:
        settings = read_settings()
    except SettingsInvalid as error:
        return [*findings, *(wrong(sentence) for sentence in str(error).splitlines())]
    findings += check_settings(settings)
    return findings + await _examine_servers(settings, processes)


async def _examine_servers(settings: Settings, processes: int) -> list[Finding]:
    findings: list[Finding] = []
    rooms: dict[str, int] = {}
    owners = tier_urls("OWNER")
    urls = {"oltp": settings.oltp_url, "content": settings.content_url, "olap": settings.olap_url}
    for tier, url in urls.items():
        is_nile = settings.database_dialect == "nile"
        async for each in check_tier(tier, url, owner_url=owners.get(tier), is_nile=is_nile):
            if isinstance(each, Room):
                rooms[each.address] = each.connections
            else:
                findings.append(each)
    findings += [each async for each in check_system_role(settings)]
    findings += [each async for each in check_redis("Redis", settings.redis_url)]
    if settings.jobs_redis_url is not None:
        findings += [each async for each in check_redis("Redis of the queues", settings.jobs_redis_url)]
    return findings + list(check_connections(settings, rooms, processes))
