"""The demo's HTTP client against a server that refuses, stumbles, or speaks something else."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demo.api import Api
from app.demo.endpoints import Endpoints
from app.demo.problem import DemoProblem, ServerGone

ENDPOINTS = Endpoints(
    "http://api.example/graphql",
    "ws://api.example/graphql",
    "http://api.example/readyz",
    "smtps://x:1",
    "a@b.example",
    "pw",
)
Answer = Callable[[dict[str, Any], httpx.Request], httpx.Response]


def session(name: str, *, minutes: float = 15) -> dict[str, Any]:
    expires_at = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    return {"accessToken": f"access-{name}", "refreshToken": f"refresh-{name}", "expiresAt": expires_at}


def signed_in(**changed: Any) -> httpx.Response:
    payload = {"session": session("1"), "tenant": {"id": "T"}, "userErrors": []} | changed
    return httpx.Response(200, json={"data": {"signIn": payload}})


@asynccontextmanager
async def client(answer: Answer) -> AsyncIterator[Api]:
    """Every request is answered by `answer(body, request)`; signing in works unless it says otherwise."""

    def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.method == "POST" else {}
        if "SignIn" in body.get("query", "") and not getattr(answer, "signs_in", False):
            return signed_in()
        return answer(body, request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        yield Api(http, ENDPOINTS)


async def test_a_server_that_restarts_is_asked_again() -> None:
    answers = [httpx.Response(503), httpx.Response(200, json={"data": {"viewer": {"role": "OWNER"}}})]

    async with client(lambda _body, _request: answers.pop(0)) as api:
        await api.sign_in()
        data = await api.query("query { viewer { role } }", {})

    assert data == {"viewer": {"role": "OWNER"}}
    assert answers == []


async def test_a_token_with_less_than_a_minute_left_is_renewed_first() -> None:
    seen: list[str] = []

    def answer(body: dict[str, Any], request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization", "none"))
        if "SignIn" in body["query"]:
            return signed_in(session=session("1", minutes=0.5))
        if "RefreshSession" in body["query"]:
            assert body["variables"] == {"input": {"refreshToken": "refresh-1"}}
            return httpx.Response(200, json={"data": {"refreshSession": {"session": session("2"), "userErrors": []}}})
        return httpx.Response(200, json={"data": {"viewer": None, "other": 1}})

    answer.signs_in = True  # type: ignore[attr-defined]

    async with client(answer) as api:
        await api.sign_in()
        await api.query("query { viewer { role } }", {})

    assert seen == ["none", "none", "Bearer access-2"]


async def test_the_servers_own_sentences_are_what_the_person_reads() -> None:
    refusal = {"code": "REQUIRED", "message": "Set the postal address first.", "path": []}

    async with client(
        lambda _b, _r: httpx.Response(200, json={"data": {"launchCampaign": {"userErrors": [refusal]}}})
    ) as api:
        await api.sign_in()
        with pytest.raises(DemoProblem, match=r"The server refused launchCampaign: Set the postal address first\."):
            await api.mutate("mutation { launchCampaign }", {})


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (httpx.Response(200, text="<html>A login page</html>"), "does not speak GraphQL"),
        (httpx.Response(200, json=[]), "could not do what the demo asked"),
        (
            httpx.Response(200, json={"errors": [{"message": "You need the permission x."}]}),
            "You need the permission x",
        ),
    ],
)
async def test_an_answer_that_is_no_data_becomes_a_sentence(response: httpx.Response, sentence: str) -> None:
    async with client(lambda _body, _request: response) as api:
        await api.sign_in()
        with pytest.raises(DemoProblem, match=sentence):
            await api.query("query { viewer { role } }", {})


async def test_a_connection_that_breaks_in_the_middle_is_not_tried_again_but_said() -> None:
    def answer(_body: dict[str, Any], request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset", request=request)

    async with client(answer) as api:
        await api.sign_in()
        with pytest.raises(ServerGone, match="went away in the middle of a request"):
            await api.mutate("mutation { createWorkspace }", {})


async def test_an_upload_goes_where_the_server_said_with_its_headers_and_size(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"email\n" + b"a@b.example\n" * 20_000)
    got: dict[str, Any] = {}

    def answer(_body: dict[str, Any], request: httpx.Request) -> httpx.Response:
        got.update(method=request.method, url=str(request.url), headers=request.headers)
        return httpx.Response(413, text="The file is larger than 10 bytes: split it into several.")

    target = {
        "method": "PUT",
        "url": "http://api.example/uploads/t",
        "headers": [{"name": "Content-Type", "value": "text/csv"}],
    }
    async with client(answer) as api:
        with pytest.raises(DemoProblem, match=r"did not take people\.csv: 413 .*split it into several"):
            await api.upload(path, target, size_bytes=path.stat().st_size)

    assert (got["method"], got["url"]) == ("PUT", "http://api.example/uploads/t")
    assert got["headers"]["content-type"] == "text/csv"
    assert got["headers"]["content-length"] == str(path.stat().st_size)
