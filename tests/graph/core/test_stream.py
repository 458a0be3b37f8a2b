"""Server-sent events (graphql-sse, distinct connections mode) with a real HTTP client."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core.resources import Resources
from tests.graph.core.fake_door import FakeDoor
from tests.graph.core.notes import TICKING

EVENTS = {"accept": "text/event-stream"}


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """(name, data) of each event; comments are ("", None)."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith(":"):
            yield "", None
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            yield name, json.loads(data) if data else None


async def all_events(http: httpx.AsyncClient, query: str, **headers: str) -> list[tuple[str, Any]]:
    async with http.stream("POST", "/graphql/stream", json={"query": query}, headers=EVENTS | headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        return [event async for event in events(response) if event[0]]


async def test_a_subscription_is_next_events_and_complete(http: httpx.AsyncClient) -> None:
    received = await all_events(http, "subscription { ticks(count: 2) { number } }")

    assert [(name, (data or {}).get("data")) for name, data in received] == [
        ("next", {"ticks": {"number": 1}}),
        ("next", {"ticks": {"number": 2}}),
        ("complete", None),
    ]


@pytest.mark.parametrize("query", ["{ __typename }", "mutation { __typename }"])
async def test_queries_and_mutations_answer_once(http: httpx.AsyncClient, query: str) -> None:
    received = await all_events(http, query)

    assert [name for name, _ in received] == ["next", "complete"]
    assert received[0][1]["data"]["__typename"] in {"Query", "Mutation"}


async def test_a_bad_document_is_an_event(http: httpx.AsyncClient) -> None:
    received = await all_events(http, "subscription { unknown }")

    assert [name for name, _ in received] == ["next", "complete"]
    assert received[0][1]["errors"][0]["extensions"]["code"] == "BAD_INPUT"


async def test_a_subscription_that_crashes_is_masked(http: httpx.AsyncClient) -> None:
    received = await all_events(http, 'subscription { ticks(count: 0, fail: "crash") { number } }')

    assert received[0][1]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in json.dumps(received)
    assert received[-1] == ("complete", None)


async def test_a_quiet_stream_beats(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TICKING, "seconds", 30)
    query = {"query": "subscription { ticks { number } }"}
    beats = 0
    async with http.stream("POST", "/graphql/stream", json=query, headers=EVENTS) as response:
        async for name, _ in events(response):
            beats += name == ""
            if beats == 3:
                break

    assert beats == 3


async def test_a_client_that_leaves_closes_the_generator(http: httpx.AsyncClient) -> None:
    closed = TICKING.closed
    query = {"query": "subscription { ticks { number } }"}

    async with http.stream("POST", "/graphql/stream", json=query, headers=EVENTS) as response:
        async for name, _ in events(response):
            if name == "next":
                break

    async with asyncio.timeout(5):
        while TICKING.closed != closed + 1:  # noqa: ASYNC110 - what is awaited happens inside the server
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["expired", "revoked"])
async def test_the_stream_ends_with_an_error_when_its_rights_end(
    http: httpx.AsyncClient, door: FakeDoor, resources: Resources, how: str
) -> None:
    door.user("brief", expires_at=resources.clock.now() + timedelta(seconds=0.5) if how == "expired" else None)
    if how == "revoked":
        asyncio.get_running_loop().call_later(0.3, door.callers.pop, "brief")

    received = await asyncio.wait_for(
        all_events(http, "subscription { ticks { number } }", authorization="Bearer brief"), 5
    )

    assert received[-2][0] == "next"
    assert received[-2][1]["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    assert received[-1] == ("complete", None)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"headers": {"accept": "application/json"}}, 406),
        ({"headers": EVENTS | {"authorization": "Bearer stale"}}, 401),
        ({"json": {"query": 1}}, 400),
        ({"json": [], "headers": EVENTS}, 400),
    ],
)
async def test_what_is_no_stream_request_is_an_http_answer(
    http: httpx.AsyncClient, changes: dict[str, Any], status: int
) -> None:
    request = {"json": {"query": "{ __typename }"}, "headers": EVENTS} | changes

    response = await http.post("/graphql/stream", **request)

    assert response.status_code == status
    assert response.json()["errors"][0]["message"].endswith(".")


async def test_get_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/graphql/stream", headers=EVENTS)).status_code == 405
