"""Mailboxes on the sandbox's SMTP server, connected and tested as any mailbox is."""

import asyncio
import secrets
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from app.demo import documents
from app.demo.api import Api
from app.demo.endpoints import Endpoints
from app.demo.problem import DemoProblem
from app.demo.progress import View

SENDERS = (("ada", "north"), ("grace", "south"), ("edith", "east"), ("joan", "west"))
DAILY_CAP = 100_000
TEST_SECONDS = 60.0


async def connect_mailboxes(api: Api, endpoints: Endpoints, *, workspace_id: str, view: View) -> list[str]:
    """Ids of verified mailboxes. Raises DemoProblem with the verdict when none can be verified."""
    run = secrets.token_hex(3)
    for name, side in SENDERS:
        # A domain each: a receiver that distrusts one does not stop the others. New ones each run: a mailbox is connected once.
        address = f"{name}@{side}-{run}.penguinmails.example"
        server = sandbox_server(endpoints.sandbox_smtp)
        given = server | {
            "workspaceId": workspace_id,
            "address": address,
            "displayName": f"{name.title()} of the {side.title()}",
            "smtpUsername": address,
            "smtpPassword": "sandbox",
            "dailyCap": DAILY_CAP,
            "minimumGapSeconds": 0,
        }
        await api.mutate(documents.CONNECT_MAILBOX, given)
    verified = await _tested(api, workspace_id)
    view.step(f"Connected {len(verified)} mailboxes to the sandbox at {endpoints.sandbox_smtp}, and tested them")
    return verified


def sandbox_server(url: str) -> dict[str, Any]:
    """The GraphQL input for an SMTP server that is written as `smtp://host:port`, `smtps://...` or `host:port`."""
    parts = urlsplit(url if "//" in url else f"smtp://{url}")
    if parts.hostname is None or parts.port is None:
        raise DemoProblem(f"endpoints.json names a sandbox that cannot be read: {url}. Start `penguinmails up` again.")
    security = "IMPLICIT_TLS" if parts.scheme == "smtps" else "STARTTLS"
    return {"smtpHost": unquote(parts.hostname), "smtpPort": parts.port, "smtpSecurity": security}


async def _tested(api: Api, workspace_id: str) -> list[str]:
    give_up_at = time.monotonic() + TEST_SECONDS
    while True:
        answer = await api.query(documents.MAILBOXES, {"workspaceId": workspace_id})
        mailboxes = [edge["node"] for edge in answer["mailboxes"]["edges"]]
        waiting = [each for each in mailboxes if each["state"] == "UNVERIFIED"]
        if not waiting or time.monotonic() > give_up_at:
            break
        await asyncio.sleep(0.25)
    verified = [each["id"] for each in mailboxes if each["state"] == "VERIFIED"]
    if not verified:
        verdicts = {each["verdict"]["sentence"] for each in mailboxes if each["verdict"]}
        raise DemoProblem(
            "No mailbox could be connected to the sandbox: "
            + (" ".join(sorted(verdicts)) or f"none was tested within {TEST_SECONDS:.0f} seconds; do the workers run?")
        )
    return verified
