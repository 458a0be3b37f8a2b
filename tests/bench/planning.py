"""What enrolling and planning cost per contact, in a campaign of ten thousand contacts and in one thirty times as big."""

import time
from dataclasses import dataclass, replace
from statistics import median
from uuid import UUID

from app.core.resources import Resources
from app.outreach.campaign_launch import enroll_list, launch_campaign
from app.outreach.campaign_planning import plan_campaign
from app.outreach.mailboxes import SmtpLogin
from app.outreach.ports import SmtpSecurity
from db.core.transaction import current
from tests.bench.campaigning import contact_list, draft, mailboxes, set_postal_address
from tests.bench.deployment import Deployment
from tests.bench.figures import Figure, median_ratio
from tests.bench.seeding import Seeded, seed_tenant

SMALL, BIG = 10_000, 300_000
ROUNDS = 2
PLANNED = 5_000
NOWHERE = SmtpLogin("mail.sender.example", 465, SmtpSecurity.IMPLICIT_TLS, "bench")


@dataclass(frozen=True)
class Cost:
    """Microseconds per contact."""

    enrolling: float
    planning: float

    @property
    def both(self) -> float:
        return self.enrolling + self.planning


async def measure_planning(deployed: Deployment) -> list[Figure]:
    """Each size has databases of its own, and they take turns. No worker runs: the jobs run in this process."""
    places = {SMALL: await deployed.beside("bench_small"), BIG: await deployed.beside("bench_big")}
    stages = {size: await _stage(place, size) for size, place in places.items()}
    costs: dict[int, list[Cost]] = {SMALL: [], BIG: []}
    for _round in range(ROUNDS):
        for size, place in places.items():
            async with place.opened() as resources:
                costs[size].append(await _cost(stages[size].of(resources), size))
    small, big = costs[SMALL], costs[BIG]
    detail = (
        f"microseconds per contact at {BIG:,} enrollments: {median(c.enrolling for c in big):,.0f} to enrol and "
        f"{median(c.planning for c in big):,.0f} to plan; at {SMALL:,}: {median(c.enrolling for c in small):,.0f} and "
        f"{median(c.planning for c in small):,.0f}. Planned are the {PLANNED:,} mails that a mailbox's queue holds"
    )
    ratio = median_ratio([each.both for each in big], [each.both for each in small])
    title = f"Launch and planning per contact, {BIG:,} / {SMALL:,}"
    return [Figure("planningGrowth", title, ratio, "", "<= 1.3", detail)]


@dataclass(frozen=True)
class _Stage:
    """A tenant with a list, which campaign after campaign writes to."""

    seeded: Seeded
    list_id: UUID

    def of(self, resources: Resources) -> "_Stage":
        """The same in newly opened pools."""
        return replace(self, seeded=replace(self.seeded, caller=replace(self.seeded.caller, resources=resources)))


async def _stage(place: Deployment, size: int) -> _Stage:
    async with place.opened() as resources:
        seeded = await seed_tenant(resources, "planning")
        await set_postal_address(seeded)
        return _Stage(seeded, await contact_list(seeded, size))


async def _cost(stage: _Stage, size: int) -> Cost:
    seeded, caller = stage.seeded, stage.seeded.caller
    senders = await mailboxes(seeded, 1, NOWHERE)
    async with caller.transaction():
        await current().execute("UPDATE mailboxes SET state = 'verified' WHERE tenant_id = $1", caller.tenant_id)
    campaign = await draft(seeded, stage.list_id, senders)
    await launch_campaign(caller, campaign.id)
    started = time.perf_counter()
    while await _count(
        "SELECT count(*) FROM campaigns WHERE tenant_id = $1 AND id = $2 AND enrolling", seeded, campaign.id
    ):
        await enroll_list(caller, campaign.id)
    enrolled = time.perf_counter()
    await plan_campaign(caller, campaign.id)
    planned = time.perf_counter()
    count = await _count(
        "SELECT count(*) FROM enrollments WHERE tenant_id = $1 AND campaign_id = $2", seeded, campaign.id
    )
    messages = await _count(
        "SELECT count(*) FROM messages WHERE tenant_id = $1 AND campaign_id = $2", seeded, campaign.id
    )
    if count != size or messages != PLANNED:
        raise RuntimeError(f"{count} of {size} were enrolled, {messages} of {PLANNED} planned")
    return Cost((enrolled - started) / size * 1e6, (planned - enrolled) / PLANNED * 1e6)


async def _count(sql: str, seeded: Seeded, campaign_id: UUID) -> int:
    async with seeded.caller.transaction(read_only=True):
        return int(await current().fetchval(sql, seeded.caller.tenant_id, campaign_id))
