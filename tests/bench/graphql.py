"""GraphQL against the hand-written endpoint: CPU of the server process per request, for the same JSON.

W1: 50 campaigns with 11 fields, each with its counts. W2: one node by its id. W3: who am I, and where.
"""

from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

import orjson

from app.core.ids import new_id
from app.embedded.ports import free_port
from app.outreach.campaigns import CampaignDraft, create_campaign
from db.core.transaction import current
from graph.core.ids import global_id
from tests.bench.campaigning import contact_list
from tests.bench.deployment import Deployment, Running
from tests.bench.figures import Figure, median_ratio
from tests.bench.http import Shot, fire, listening, once
from tests.bench.seeding import Seeded, seed_tenant

CAMPAIGNS, LANES = 60, 4
ROUNDS, CONNECTIONS = 5, 8
START_SECONDS = 60.0

W1 = """
query W1($workspaceId: ID!) {
  campaigns(workspaceId: $workspaceId, first: 50) {
    edges { node {
      id name state listId enrolling version launchedAt pausedAt completedAt createdAt updatedAt
      counts { sent bounced queued }
    } }
  }
}
"""
W2 = "query W2($id: ID!) { node(id: $id) { id ... on ContactList { name contactCount createdAt } } }"
W3 = "query W3 { viewer { role user { id email displayName } tenant { id name } } }"


@dataclass(frozen=True)
class Work:
    """One query, sent to both servers. `requests` a round, so that each round takes about a second of CPU."""

    key: str
    title: str
    path: str
    query: str
    variables: dict[str, Any]
    requests: int


@dataclass(frozen=True)
class Server:
    """A process that answers."""

    process: Running
    port: int


async def measure_graphql(deployed: Deployment) -> list[Figure]:
    """Both servers run beside each other and take turns, query by query."""
    async with deployed.opened() as resources:
        seeded = await seed_tenant(resources, "graphql")
        list_id = await contact_list(seeded, 10)
        await _fill(seeded)
    works = _works(seeded, list_id)
    port = free_port()
    by_hand = deployed.environment() | {"BENCH_PORT": str(port)}
    with (
        deployed.command("serve") as api,
        deployed.process("handwritten", "-m", "tests.bench.handwritten", environment=by_hand) as hand,
    ):
        ours, theirs = Server(api, deployed.api_port), Server(hand, port)
        for server in (ours, theirs):
            await listening(server.port, server.process.check, seconds=START_SECONDS)
        return [await _figure(work, ours, theirs, token=seeded.access_token) for work in works]


def _works(seeded: Seeded, list_id: UUID) -> list[Work]:
    workspace, contacts = global_id("Workspace", seeded.workspace_id), global_id("ContactList", list_id)
    return [
        Work("graphqlW1", "GraphQL W1 / hand-written", "/w1", W1, {"workspaceId": workspace}, 200),
        Work("graphqlW2", "GraphQL W2 / hand-written", "/w2", W2, {"id": contacts}, 1_000),
        Work("graphqlW3", "GraphQL W3 / hand-written", "/w3", W3, {}, 1_000),
    ]


async def _fill(seeded: Seeded) -> None:
    """Campaigns that were written to, through several mailboxes each."""
    for number in range(CAMPAIGNS):
        campaign = await create_campaign(seeded.caller, seeded.workspace_id, CampaignDraft(name=f"Campaign {number}"))
        async with seeded.caller.transaction():
            for _lane in range(LANES):
                await current().execute(
                    "INSERT INTO campaign_counts (tenant_id, campaign_id, lane, sent, bounced) VALUES ($1, $2, $3, $4, 1)",
                    seeded.caller.tenant_id,
                    campaign.id,
                    new_id(),
                    number,
                )


async def _figure(work: Work, ours: Server, theirs: Server, *, token: str) -> Figure:
    body = orjson.dumps({"query": work.query, "variables": work.variables})
    shots = {
        ours.port: Shot.post(ours.port, "/graphql", body, token),
        theirs.port: Shot.post(theirs.port, work.path, body, token),
    }
    _check_equal(await once(shots[ours.port]), await once(shots[theirs.port]))
    costs: dict[int, list[float]] = {ours.port: [], theirs.port: []}
    for round_number in range(ROUNDS + 1):
        for server in (ours, theirs):
            before = server.process.cpu_seconds()
            await fire(shots[server.port], times=work.requests, connections=CONNECTIONS)
            if round_number > 0:  # the first warms caches and pools
                costs[server.port].append((server.process.cpu_seconds() - before) / work.requests)
    mine, other = costs[ours.port], costs[theirs.port]
    detail = (
        f"{median(mine) * 1e6:,.0f} against {median(other) * 1e6:,.0f} microseconds of the server's CPU a request; "
        "the same JSON, token, bucket and tenant transaction"
    )
    return Figure(work.key, work.title, median_ratio(mine, other), "", "", detail)


def _check_equal(ours: bytes, theirs: bytes) -> None:
    """The same data to the last value: a comparison of different answers would mean nothing."""
    one, other = orjson.loads(ours), orjson.loads(theirs)
    costs = [answer.get("extensions", {}).get("cost", {}).get("requested") for answer in (one, other)]
    if one.get("data") != other.get("data") or costs[0] != costs[1]:
        raise RuntimeError(f"the servers answer differently:\n{ours[:1500]!r}\n{theirs[:1500]!r}")
