"""Imports of contacts, as workers run them."""

from actors.core.handler import handles
from app.core.caller import Caller
from app.outreach import contact_import_runs
from app.outreach.jobs import RunContactImport


@handles(RunContactImport)
async def run_contact_import(caller: Caller, job: RunContactImport) -> None:
    await contact_import_runs.run_contact_import(caller, job.import_id, job.part)
