"""GraphQL over HTTP: the MUST and SHOULD audits of the reference suite (graphql-http), by their ids, and our own rules."""

import asyncio
from typing import Any

import httpx
import pytest

RESPONSE = "application/graphql-response+json"
JSON = "application/json"
TYPENAME = {"query": "{ __typename }"}


async def post(http: httpx.AsyncClient, body: Any, *, accept: str | None = RESPONSE, **headers: str) -> httpx.Response:
    """httpx always sends Accept; an empty one stands for none."""
    return await http.post("/graphql", json=body, headers={"accept": accept or "", **headers})


@pytest.mark.parametrize(
    ("audit", "accept", "expected"),
    [
        ("22EB", RESPONSE, RESPONSE),
        ("4655", JSON, JSON),
        ("47DE", "*/*", JSON),
        ("80D8", None, JSON),
        ("both", f"{JSON}, {RESPONSE}", RESPONSE),
        ("liked", f"{RESPONSE};q=0.5, {JSON}", JSON),
        ("urql", f"{RESPONSE}, {JSON}, text/event-stream, multipart/mixed", RESPONSE),
        ("82A3", f"{JSON}; charset=utf-8", JSON),
    ],
)
async def test_answers_in_the_media_type_that_is_liked_best(
    http: httpx.AsyncClient, audit: str, accept: str | None, expected: str
) -> None:
    response = await post(http, TYPENAME, accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert response.json()["data"] == {"__typename": "Query"}


async def test_refuses_to_answer_in_a_type_that_it_does_not_have(http: httpx.AsyncClient) -> None:
    response = await post(http, TYPENAME, accept="text/html")

    assert response.status_code == 406
    assert RESPONSE in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_bf61_78d5_reads_json_in_utf8(http: httpx.AsyncClient, content_type: str) -> None:
    body = '{"query": "{ echo(text: \\"Zażółć 🐧\\") }"}'.encode()

    response = await http.post("/graphql", content=body, headers={"content-type": content_type})

    assert response.json()["data"]["echo"]["text"] == "Zażółć 🐧"


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/graphql", "application/json; charset=latin1"]
)
async def test_9abe_refuses_other_content_types(http: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}

    response = await http.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)

    assert response.status_code == 415
    assert "application/json" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_9c48_takes_post_only(http: httpx.AsyncClient, method: str) -> None:
    response = await http.request(method, "/graphql", params={"query": "mutation { __typename }"})

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
@pytest.mark.parametrize(
    "extra",
    [
        {"variables": None},
        {"operationName": None},
        {"extensions": None},
        {"variables": {"name": "a"}},
        {"extensions": {"key": "value"}},
        {"unknown": 1},
    ],
)
async def test_allows_null_and_maps_where_the_specification_does(
    http: httpx.AsyncClient, accept: str, extra: dict[str, Any]
) -> None:
    response = await post(http, TYPENAME | extra, accept=accept)

    assert response.status_code == 200
    assert response.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"query": "query A { __typename }", "operationName": "A"}, None),
        ({"query": None}, "`query` must be the text"),
        ({"notquery": "{ __typename }"}, "`query` must be the text"),
        ({"query": {"obj": "ect"}}, "`query` must be the text"),
        ({"query": 0}, "`query` must be the text"),
        ({"query": ["a"]}, "`query` must be the text"),
        ({"query": "   "}, "`query` must be the text"),
        (TYPENAME | {"operationName": {"a": 1}}, "`operationName` must be text"),
        (TYPENAME | {"operationName": 0}, "`operationName` must be text"),
        (TYPENAME | {"variables": "string"}, "`variables` must be a JSON object"),
        (TYPENAME | {"variables": 0}, "`variables` must be a JSON object"),
        (TYPENAME | {"variables": ["array"]}, "`variables` must be a JSON object"),
        (TYPENAME | {"extensions": "string"}, "`extensions` must be a JSON object"),
        (TYPENAME | {"extensions": [0]}, "`extensions` must be a JSON object"),
        ([TYPENAME, TYPENAME], "Batches are not supported"),
    ],
)
async def test_parameters_of_the_wrong_type_are_400_with_a_sentence(
    http: httpx.AsyncClient, accept: str, body: Any, says: str | None
) -> None:
    response = await post(http, body, accept=accept)

    if says is None:
        assert response.status_code == 200
    else:
        assert response.status_code == 400
        assert says in response.json()["errors"][0]["message"]
        assert response.json()["errors"][0]["extensions"] == {"code": "BAD_INPUT"}
        assert "data" not in response.json()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"1",
        b'"text"',
        b"true",
        b"{",
        b'{"query": "{ __typename }"',
        b'{"query": "\xff\xfe"}',
        b"\xff",
        b'{"query": "\\ud800"}',
        b"[" * 100_000,
        b'{"query": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
        b"NaN",
        b"\xef\xbb\xbf{}",
        b"\0",
    ],
)
async def test_malformed_bodies_are_400_with_a_sentence(http: httpx.AsyncClient, content: bytes) -> None:
    response = await http.post("/graphql", content=content, headers={"content-type": JSON})

    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_INPUT"}
    assert response.json()["errors"][0]["message"].endswith(".")


async def test_a_body_over_the_limit_is_413_whether_it_says_its_length_or_not(http: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100_000

    declared = await http.post("/graphql", content=b" " * 2_000_000, headers={"content-type": JSON})
    chunked = await http.post("/graphql", content=chunks(), headers={"content-type": JSON})

    assert (declared.status_code, chunked.status_code) == (413, 413)


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_a_body_that_is_never_finished_is_408_and_holds_no_connection(address: str, path: str) -> None:
    reader, writer = await asyncio.open_connection(*address.split(":"))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nAccept: text/event-stream, {JSON}\r\n"
    writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())

    async with asyncio.timeout(5):
        answer = await reader.read()  # to the end of the connection
    writer.close()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"The body was not complete within 0.6 seconds: send it at once." in answer


@pytest.mark.parametrize(
    ("audits", "body"),
    [
        ("572B 865D 556A D586 parsing", {"query": "{"}),
        ("FDE2 51FE 74FF 5E5B validation", {"query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }"}),
        ("validation", {"query": "{ unknown }"}),
        ("7B9B 86EE coercion", {"query": "query ($a: Int!) { __typename @skip(if: false) notes(first: $a) { edges { cursor } } }", "variables": {"a": "x"}}),
        ("coercion", {"query": "query ($a: ID!) { node(id: $a) { id } }"}),
        ("no such operation", {"query": "query A { __typename }", "operationName": "B"}),
        ("which operation", {"query": "query A { __typename } query B { __typename }"}),
        ("no operation", {"query": "fragment A on Note { id }"}),
        ("subscription", {"query": "subscription { ticks { number } }"}),
    ],
)  # fmt: skip
async def test_request_errors_are_400_in_the_new_type_and_200_in_json_without_data(
    http: httpx.AsyncClient, audits: str, body: dict[str, Any]
) -> None:
    new, old = await post(http, body), await post(http, body, accept=JSON)

    assert (new.status_code, old.status_code) == (400, 200)
    for response in (new, old):
        assert "data" not in response.json()
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_INPUT"


async def test_several_operations_run_the_named_one(http: httpx.AsyncClient) -> None:
    query = "query A { a: __typename } query B { b: __typename }"

    assert (await post(http, {"query": query, "operationName": "B"})).json()["data"] == {"b": "Query"}


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_callers_without_a_token_reach_sign_in_operations_and_typename_only(address: str, accept: str) -> None:
    greet = 'mutation { greet(input: {name: "Ada"}) { greeting userErrors { code } } }'
    async with httpx.AsyncClient(base_url=f"http://{address}") as nobody:
        allowed = [await post(nobody, {"query": query}, accept=accept) for query in (greet, "{ __typename }")]
        refused = [
            await post(nobody, {"query": query}, accept=accept)
            for query in (
                "{ notes { edges { cursor } } }",
                "{ unknown }",
                "{",
                "{ __schema { types { name } } }",
                "mutation { addNote(input: {text: \"a\"}) { length } }",
                "mutation { ...F } fragment F on Mutation { addNote(input: {text: \"a\"}) { length } }",
                "mutation { greet(input: {name: \"a\"}) { greeting } unknown }",
                greet + " query B { notes { edges { cursor } } }",
                "subscription { ticks { number } }",
                "subscription { __typename }",
            )
        ]  # fmt: skip

    assert [response.status_code for response in allowed] == [200, 200]
    assert allowed[0].json()["data"] == {"greet": {"greeting": "Hello, Ada.", "userErrors": []}}
    for response in refused:
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["errors"] == [
            {
                "message": "Sign in: this needs a valid access token.",
                "extensions": {"code": "UNAUTHENTICATED"},
            }
        ]


async def test_a_bad_token_is_401_but_does_not_keep_anybody_from_signing_in(http: httpx.AsyncClient) -> None:
    greet = {"query": 'mutation { greet(input: {name: "Ada"}) { greeting } }'}

    bad = {"authorization": "Bearer stale"}

    assert (await post(http, TYPENAME, **bad)).status_code == 401
    assert (await post(http, {"query": "{ notes { edges { cursor } } }"}, **bad)).status_code == 401
    assert (await post(http, greet, **bad)).json()["data"] == {"greet": {"greeting": "Hello, Ada."}}


async def test_a_missing_permission_is_forbidden(http: httpx.AsyncClient, door: Any) -> None:
    from app.core.permissions import TenantRole

    door.user("member", role=TenantRole.MEMBER)
    body = {"query": 'mutation { addNote(input: {text: "a"}) { length } }'}

    new = await post(http, body, authorization="Bearer member")
    old = await post(http, body, accept=JSON, authorization="Bearer member")

    assert (new.status_code, old.status_code) == (403, 200)
    assert new.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}


async def test_signed_in_callers_may_introspect(http: httpx.AsyncClient) -> None:
    from graphql import get_introspection_query

    response = await post(http, {"query": get_introspection_query()})

    assert response.status_code == 200
    assert {"name": "Query"}.items() <= response.json()["data"]["__schema"]["queryType"].items()


async def test_every_answer_names_its_request_and_its_cost(http: httpx.AsyncClient) -> None:
    response = await post(http, {"query": "{ notes(first: 3) { edges { node { id } } } }"}, **{"x-request-id": "abc-1"})

    cost = response.json()["extensions"]["cost"]
    assert response.headers["x-request-id"] == "abc-1"
    assert cost["requested"] == 4
    assert cost["limit"] == 20_000
    assert 0 <= cost["remaining"] < 20_000
    assert cost["resetAt"].endswith("+00:00")


async def test_a_request_id_that_is_no_harmless_text_is_replaced(http: httpx.AsyncClient) -> None:
    response = await post(http, TYPENAME, **{"x-request-id": "a b<script>"})

    assert len(response.headers["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_what_fails_outside_of_the_document_is_500_and_masked(
    http: httpx.AsyncClient, door: Any, path: str
) -> None:
    door.broken = RuntimeError("a secret detail of our own: password=hunter2")
    try:
        response = await http.post(path, json=TYPENAME, headers={"accept": "*/*, text/event-stream"})
    finally:
        door.broken = None

    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in response.text


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_while_the_door_cannot_ask_its_database_the_answer_is_503_and_when_to_come_back(
    http: httpx.AsyncClient, door: Any, path: str
) -> None:
    door.broken = ConnectionRefusedError("10.0.0.7 is a detail of our own")
    try:
        response = await http.post(path, json=TYPENAME, headers={"accept": "*/*, text/event-stream"})
    finally:
        door.broken = None

    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["errors"] == [
        {
            "message": "A database of ours cannot be reached right now: try again in a moment.",
            "extensions": {"code": "AWAY", "retryAfter": 5},
        }
    ]
