"""Mails a second through ledger, worker and SMTP: into the sandbox, and into Postfix's sink beside Postfix's own source."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from app.embedded.ports import free_port
from app.outreach.campaign_launch import launch_campaign
from app.outreach.mailboxes import Mailbox, SmtpLogin
from app.outreach.ports import SmtpSecurity
from db.core.transaction import current
from tests.bench.campaigning import contact_list, draft, mailboxes, set_postal_address
from tests.bench.deployment import Deployment, Running, stop
from tests.bench.figures import Figure, median_ratio
from tests.bench.seeding import Seeded, seed_tenant

SANDBOX_MAILS, SINK_MAILS, ROUNDS = 2_000, 2_000, 3
SENDERS = 8
GIVE_UP_SECONDS = 180.0
WHERE_POSTFIX_MAY_BE = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin"


async def measure_sending(deployed: Deployment) -> list[Figure]:
    """One worker process sends; its relay is beside it, and the receiving server too."""
    smtps, http, sink = free_port(), free_port(), free_port()
    ca_file = deployed.folder / "sandbox" / "certificates" / "ca.pem"
    changed = {"egress_allow": f"127.0.0.1:{smtps},127.0.0.1:{sink}", "trust_ca_file": str(ca_file)}
    allowed = deployed.settings.model_copy(update={"egress_allow": tuple(changed["egress_allow"].split(","))})
    options = (
        f"--smtp-port={free_port()}",
        f"--smtps-port={smtps}",
        f"--http-port={http}",
        f"--data={deployed.folder}",
    )
    async with deployed.opened() as resources:
        seeded = await seed_tenant(replace(resources, settings=allowed), "sending")
        await set_postal_address(seeded)
        with ExitStack() as processes:
            processes.enter_context(deployed.command("sandbox", *options))
            await asyncio.to_thread(_wait_for, ca_file)
            parts = [processes.enter_context(deployed.command(name, **changed)) for name in ("relay", "work")]
            bench = _Sending(seeded, parts)
            senders = await bench.connected(SmtpLogin("127.0.0.1", smtps, SmtpSecurity.IMPLICIT_TLS, "bench"))
            rates = [await bench.rate(senders, SANDBOX_MAILS) for _ in range(ROUNDS)]
            return [_into_sandbox(rates), await _against_postfix(bench, sink)]


def _into_sandbox(rates: Sequence[float]) -> Figure:
    detail = (
        f"one worker process, {SENDERS} mailboxes without a gap, TLS, {SANDBOX_MAILS:,} mails a round into the sandbox, "
        "from the first mail recorded to the last; the sandbox, the relay and PostgreSQL run on the same cores"
    )
    return Figure("sendsPerSecond", "Mails sent, ledger and all", median(rates), "a second", ">= 500", detail)


async def _against_postfix(bench: "_Sending", port: int) -> Figure:
    source, sink = (shutil.which(name, path=WHERE_POSTFIX_MAY_BE) for name in ("smtp-source", "smtp-sink"))
    title = "Mails sent / Postfix's smtp-source"
    if source is None or sink is None:
        why = "Postfix is not installed here (Debian: apt install postfix brings smtp-source and smtp-sink)"
        return Figure("sendsToSmtpSource", title, None, "", "", why)
    with _sinking(sink, port):
        senders = await bench.connected(SmtpLogin("127.0.0.1", port, SmtpSecurity.PLAIN, ""))
        ours, theirs = [], []
        for _round in range(ROUNDS):
            theirs.append(await _source_rate(source, port))
            ours.append(await bench.rate(senders, SINK_MAILS))
    detail = (
        f"{median(ours):,.0f} against {median(theirs):,.0f} mails a second into the same smtp-sink without TLS, {SENDERS} "
        "connections each; smtp-source sends one ready text again and again and records nothing"
    )
    return Figure("sendsToSmtpSource", title, median_ratio(ours, theirs), "", "", detail)


@contextmanager
def _sinking(program: str, port: int) -> Iterator[None]:
    """Postfix's server that takes every mail and keeps none."""
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    popen = subprocess.Popen([program, *as_user, f"127.0.0.1:{port}", "100"])
    try:
        time.sleep(0.5)
        if popen.poll() is not None:
            raise RuntimeError(f"smtp-sink ended with {popen.returncode}")
        yield
    finally:
        stop(popen)


async def _source_rate(program: str, port: int) -> float:
    words = [
        "-d",
        "-s",
        str(SENDERS),
        "-m",
        str(SINK_MAILS),
        "-l",
        "2000",
        "-f",
        "a@sender.example",
        "-t",
        "b@lead.example",
    ]
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(program, *words, f"127.0.0.1:{port}")
    if await process.wait() != 0:
        raise RuntimeError(f"smtp-source ended with {process.returncode}")
    return SINK_MAILS / (time.perf_counter() - started)


@dataclass(frozen=True)
class _Sending:
    """A tenant, and the processes that work for it."""

    seeded: Seeded
    parts: list[Running]

    async def connected(self, server: SmtpLogin) -> list[Mailbox]:
        """Mailboxes that the worker has tested."""
        made = await mailboxes(self.seeded, SENDERS, server)
        ids = [each.id for each in made]
        await self._until(
            "SELECT count(*) FROM mailboxes WHERE tenant_id = $1 AND id = ANY ($2) AND state = 'verified'", ids, SENDERS
        )
        return made

    async def rate(self, senders: Sequence[Mailbox], count: int) -> float:
        """Launches a campaign of `count` mails. Mails a second, from the first that was recorded to the last."""
        list_id = await contact_list(self.seeded, count)
        campaign = await draft(self.seeded, list_id, senders)
        await launch_campaign(self.seeded.caller, campaign.id)
        await self._until(
            "SELECT COALESCE(sum(sent), 0) FROM campaign_counts WHERE tenant_id = $1 AND campaign_id = $2",
            campaign.id,
            count,
        )
        async with self.seeded.caller.transaction(read_only=True):
            row = await current().fetchrow(
                "SELECT min(settled_at) AS first, max(settled_at) AS last FROM messages "
                "WHERE tenant_id = $1 AND campaign_id = $2 AND state = 'sent'",
                self.seeded.caller.tenant_id,
                campaign.id,
            )
        assert row is not None
        return count / float((row["last"] - row["first"]).total_seconds())

    async def _until(self, sql: str, argument: object, wanted: int) -> None:
        """Waits for a count. Raises RuntimeError, with what the processes said."""
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        while True:
            async with self.seeded.caller.transaction(read_only=True):
                found = await current().fetchval(sql, self.seeded.caller.tenant_id, argument)
            if found >= wanted:
                return
            for part in self.parts:
                part.check()
            if time.monotonic() > give_up_at:
                said = "\n".join(part.last_words() for part in self.parts)
                raise RuntimeError(f"{found} of {wanted} after {GIVE_UP_SECONDS:.0f} seconds: {sql}\n{said}")
            await asyncio.sleep(0.1)


def _wait_for(file: Path) -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while not file.exists():
        if time.monotonic() > give_up_at:
            raise RuntimeError("the sandbox did not start")
        time.sleep(0.1)
