"""`penguinmails demo`: a contact list becomes real mail, through the public API only, watched live."""

import asyncio
import json
import secrets
import sys
from pathlib import Path

import httpx
from rich.console import Console
from rich.text import Text

from app.demo import documents
from app.demo.api import Api
from app.demo.campaign import launch_and_watch, prepare_campaign
from app.demo.endpoints import Endpoints, read_endpoints
from app.demo.importing import check_file, import_contacts
from app.demo.mailboxes import connect_mailboxes
from app.demo.problem import DemoProblem
from app.demo.progress import View
from app.demo.report import ImportResult, SendingResult, as_object, as_table

POSTAL_ADDRESS = "Penguin Mails Demo, 1 Ice Shelf Road, 00100 Antarctica"
DONE, FAILED, INTERRUPTED = 0, 1, 130


def run(*, contacts: Path, data: Path, as_json: bool) -> int:
    """Runs the whole demo against the `up` whose data folder is given. Returns the exit code.

    With `as_json` standard output gets one JSON object as its only line; progress goes to standard error.
    """
    console = Console(stderr=as_json, highlight=False)
    try:
        imported, sending, ids = asyncio.run(_demo(contacts, data, View(console)))
    except DemoProblem as problem:
        Console(stderr=True, highlight=False).print(
            Text.assemble(("The demo stopped: ", "bold red"), str(problem)), soft_wrap=True
        )
        return FAILED
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. What was launched goes on by itself.")
        return INTERRUPTED
    if as_json:
        sys.stdout.write(json.dumps(as_object(imported, sending, ids)) + "\n")
    else:
        console.print(as_table(imported, sending))
    return DONE


async def _demo(contacts: Path, data: Path, view: View) -> tuple[ImportResult, SendingResult, dict[str, str]]:
    check_file(contacts)
    endpoints = read_endpoints(data)
    timeout = httpx.Timeout(30.0, connect=5.0)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
        api = Api(client, endpoints)
        await api.sign_in()
        view.step(f"Signed in as {endpoints.email} at {endpoints.graphql}")
        return await _steps(api, endpoints, contacts=contacts, view=view)


async def _steps(
    api: Api, endpoints: Endpoints, *, contacts: Path, view: View
) -> tuple[ImportResult, SendingResult, dict[str, str]]:
    await _set_postal_address(api, view)
    name = f"Demo {secrets.token_hex(3)}"
    workspace_id = (await api.mutate(documents.CREATE_WORKSPACE, {"name": name}))["workspace"]["id"]
    view.step(f"Made the workspace {name}")
    listed = {"workspaceId": workspace_id, "name": contacts.name[:100]}
    list_id = (await api.mutate(documents.CREATE_CONTACT_LIST, listed))["contactList"]["id"]
    imported = await import_contacts(
        api, endpoints, path=contacts, workspace_id=workspace_id, list_id=list_id, view=view
    )
    if imported.rows_imported == 0:
        raise DemoProblem(_nothing_imported(imported))
    mailbox_ids = await connect_mailboxes(api, endpoints, workspace_id=workspace_id, view=view)
    campaign_id = await prepare_campaign(
        api, workspace_id=workspace_id, list_id=list_id, mailbox_ids=mailbox_ids, view=view
    )
    sending = await launch_and_watch(api, endpoints, workspace_id=workspace_id, campaign_id=campaign_id, view=view)
    return imported, sending, {"workspaceId": workspace_id, "campaignId": campaign_id}


async def _set_postal_address(api: Api, view: View) -> None:
    """The law wants one in every campaign mail, so no campaign is launched without."""
    settings = (await api.query(documents.TENANT_SETTINGS, {}))["tenantSettings"]
    if settings["postalAddress"]:
        return
    await api.mutate(documents.UPDATE_TENANT_SETTINGS, {"postalAddress": POSTAL_ADDRESS})
    view.step("Set the tenant's postal address")


def _nothing_imported(imported: ImportResult) -> str:
    reasons = "; ".join(f"{count:,} x {reason}" for reason, count in imported.reasons.most_common(5))
    return (
        f"None of the {imported.rows_read:,} rows of the file could be imported, so there is nobody to write to"
        f"{': ' + reasons if reasons else '.'}"
    )
