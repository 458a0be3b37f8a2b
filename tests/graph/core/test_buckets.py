"""Budgets: refilled steadily, shared between processes through Redis, and working without it."""

import asyncio

import httpx
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.core.caller import Caller
from app.core.errors import Throttled
from app.core.ids import new_id
from app.core.resources import Resources
from graph.core.application import GraphQLApplication
from graph.core.buckets import Buckets
from graph.core.build import PublicSchema
from graph.core.documents import Documents
from graph.core.engine import Engine, Stopped
from graph.core.errors import TopLevelCode
from graph.core.request import Request
from tests.graph.core.client import serving_graphql
from tests.graph.core.fake_door import FakeDoor


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def caller(resources: Resources) -> Caller:
    return FakeDoor(resources).user("token")


def test_a_budget_is_spent_refused_and_refilled(caller: Caller) -> None:
    hand = Hand()
    buckets = Buckets(capacity=100, rate=10, redis=None, monotonic=hand)

    assert buckets.take(caller, 90).remaining == 10
    with pytest.raises(Throttled) as caught:
        buckets.take(caller, 30)
    assert caught.value.retry_after_seconds == 2.0
    assert buckets.look(caller, 30).remaining == 10
    hand.at += 2
    assert buckets.take(caller, 30).remaining == 0
    hand.at += 1_000
    assert buckets.look(caller, 0).remaining == 100


def test_budgets_of_different_callers_are_apart(resources: Resources) -> None:
    door, tenant = FakeDoor(resources), new_id()
    buckets = Buckets(capacity=100, rate=1, redis=None)
    buckets.take(door.user("a", tenant=tenant), 100)

    assert buckets.take(door.user("b", tenant=tenant), 100).remaining == 0


def test_the_moment_of_reset_is_when_the_budget_is_full(caller: Caller) -> None:
    budget = Buckets(capacity=100, rate=10, redis=None).take(caller, 50)

    assert 4 < (budget.reset_at - caller.now()).total_seconds() <= 5


async def test_two_processes_share_one_budget(caller: Caller, resources: Resources) -> None:
    one, other = (Buckets(capacity=1000, rate=0.001, redis=resources.redis) for _ in range(2))
    one.take(caller, 600)
    other.take(caller, 300)

    await one.settle()
    await other.settle()
    one.take(caller, 1)
    await one.settle()

    assert other.look(caller, 0).remaining == 100
    assert one.look(caller, 0).remaining == 99
    with pytest.raises(Throttled):
        one.take(caller, 200)


async def test_without_redis_each_process_counts_for_itself_and_nothing_fails(caller: Caller) -> None:
    buckets = Buckets(capacity=100, rate=0.001, redis=Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)))
    buckets.take(caller, 60)

    await buckets.settle()

    assert buckets.take(caller, 40).remaining == 0
    with pytest.raises(Throttled):
        buckets.take(caller, 1)


async def test_an_empty_budget_is_429_and_says_when_to_come_back(schema: PublicSchema, resources: Resources) -> None:
    door = FakeDoor(resources)
    door.user("poor")
    application = GraphQLApplication(schema, door, resources)
    application.buckets.capacity, application.buckets.rate = 30, 1.0
    body = {"query": "{ notes { edges { node { id } } } }"}
    async with (
        serving_graphql(application) as address,
        httpx.AsyncClient(base_url=f"http://{address}", headers={"authorization": "Bearer poor"}) as http,
    ):
        first = await http.post("/graphql", json=body)
        second = await http.post("/graphql", json=body)
        await asyncio.sleep(0.3)

    assert first.status_code == 200
    assert first.json()["extensions"]["cost"] | {"resetAt": ""} == {
        "requested": 26,
        "limit": 30,
        "remaining": 4,
        "resetAt": "",
    }
    assert second.status_code == 429
    error = second.json()["errors"][0]
    assert error["extensions"] == {"code": "THROTTLED", "retryAfter": int(second.headers["retry-after"])}
    assert error["extensions"]["retryAfter"] == 22
    assert second.json()["extensions"]["cost"]["requested"] == 26


@pytest.mark.parametrize("token", [None, "Bearer stale"])
async def test_documents_that_are_refused_for_want_of_a_token_are_paid_by_the_address(
    schema: PublicSchema, resources: Resources, token: str | None
) -> None:
    application = GraphQLApplication(schema, FakeDoor(resources), resources)
    application.engine.buckets = Buckets(capacity=100, rate=0.001, redis=None)
    headers = {"authorization": token} if token else {}
    async with (
        serving_graphql(application) as address,
        httpx.AsyncClient(base_url=f"http://{address}", headers=headers) as http,
    ):
        answers = [await http.post("/graphql", json={"query": f"{{ nope{number} }}"}) for number in range(12)]
        read = application.documents.misses
        ways = [await http.post("/graphql", json={"query": query}) for query in ("{", "{ notes { edges { cursor } } }")]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert answers[0].json()["extensions"]["cost"]["remaining"] == 90
    assert answers[-1].json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert [answer.status_code for answer in ways] == [429, 429]
    assert (read, application.documents.misses) == (10, 10)  # with nothing left, nothing is read


@pytest.mark.parametrize("token", [None, "Bearer stale"])
async def test_refused_documents_do_not_keep_others_at_their_address_from_signing_in(
    schema: PublicSchema, resources: Resources, token: str | None
) -> None:
    application = GraphQLApplication(schema, FakeDoor(resources), resources)
    application.engine.buckets = Buckets(capacity=100, rate=0.001, redis=None)
    sign_in = {"query": "mutation ($n: String!) { greet(input: {name: $n}) { greeting } }", "variables": {"n": "Ada"}}
    async with (
        serving_graphql(application) as address,
        httpx.AsyncClient(base_url=f"http://{address}", headers={"authorization": token} if token else {}) as http,
    ):
        first = await http.post("/graphql", json=sign_in)
        flood = [await http.post("/graphql", json={"query": f"{{ nope{number} }}"}) for number in range(12)]
        second = await http.post("/graphql", json=sign_in)
        many = [await http.post("/graphql", json=sign_in) for _ in range(100)]

    assert [answer.status_code for answer in flood[-2:]] == [429, 429]
    assert second.json()["data"] == first.json()["data"] == {"greet": {"greeting": "Hello, Ada."}}
    assert [answer.status_code for answer in many[:5]] == [200] * 5
    assert many[-1].status_code == 429  # its own budget has an end too


async def test_a_known_operation_runs_on_less_than_a_refusal_costs(schema: PublicSchema, caller: Caller) -> None:
    documents = Documents(schema._schema, sign_in=schema.anonymous_mutations)
    engine = Engine(schema, documents, Buckets(capacity=15, rate=0.001, redis=None))
    cheap = Request("{ notes { edges { cursor } } }", {}, None)

    for _ in range(15):
        engine.prepare(cheap, caller)
    with pytest.raises(Stopped) as caught:
        engine.prepare(cheap, caller)

    assert caught.value.answer.code is TopLevelCode.THROTTLED
