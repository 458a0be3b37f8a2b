"""What no form would send: every text of every operation, over real HTTP, filled with what breaks parsers, databases and mails.

The answer is a refusal in words or success, never INTERNAL and never a 5xx; and what was stored can be read.
"""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, get_named_type

from app.core.ids import new_id
from app.core.resources import Resources
from graph.core.application import GraphQLApplication
from graph.core.ids import global_id
from graph.schema import schema
from tests.graph.core.client import serving_graphql
from tests.graph.core.fake_door import FakeDoor
from tests.house.schema_client import SchemaClient, codes, comparable, user_errors
from tests.house.schema_walk import (
    Filling,
    Operation,
    Path,
    document,
    id_places,
    is_connection,
    operations,
    text_places,
)
from tests.house.world import World, make_world

LONGEST_SECONDS = 5.0
HOSTILE = {
    "nul": "a\0b",
    "lone surrogate": "a\ud800b",
    "a million characters": "x" * 1_000_000,
    "characters of several bytes": "é" * 2_000,
    "right to left and zero width": "\u202eevil\u200b\u2066\ufeff",
    "encoded word": "=?utf-8?q?a=0d=0aBcc:_x@y.example?=",
    "line break": "a\r\nBcc: someone@people.example\r\n\r\nbody",
    "control characters": "a\x01\x1b[31m\x7f\x85b",
    "separators": "a\u2028b\u2029c",
    "nothing": "",
    "blanks": " \t\n\u00a0\u3000",
    "braces": "{{ a }}{% for x in (1..99999999) %}{{ x }}{% endfor %}{%",
    "quotes": "'; DROP TABLE users; --\\",
    "outside the plane": "\U0001f427\U000e0001\U0010ffff",
    "combining": "e" + "\u0301" * 2_000,
}
# PostgreSQL and UTF-8 cannot hold these at all.
NEVER_STORED = ("nul", "lone surrogate")
# Texts that come to stand in the header of a mail or in an address: no control character may get in.
IN_HEADERS = {"displayName", "address", "email", "domain", "smtpHost"}
WITH_TEXTS = [each for each in operations("query", "mutation") if text_places(each)]


@dataclass(frozen=True)
class Api:
    """A served API and the door that lets a world's owner in."""

    http: httpx.AsyncClient
    door: FakeDoor

    async def post(self, world: World, operation: Operation, variables: dict[str, Any]) -> dict[str, Any]:
        """Asserts that the server keeps its word: no 5xx, JSON, in time."""
        token = world.marker
        self.door.callers[token] = world.owner
        parent = {"_parent": world.id(operation.parent)} if operation.parent else {}
        sent = {"query": document(operation, variables, on="Workspace"), "variables": variables | parent}
        signed_in = operation.name not in schema.anonymous_mutations
        began = time.monotonic()
        answer = await self.http.post(
            "/graphql",
            content=json.dumps(sent).encode(),  # json escapes lone surrogates, as an attacker would
            headers={"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if signed_in else {}),
        )
        assert answer.status_code < 500, (answer.status_code, answer.text)
        assert time.monotonic() - began < LONGEST_SECONDS
        found: dict[str, Any] = answer.json()
        assert set(codes(found)) <= {"BAD_INPUT"}, found
        return found


@pytest_asyncio.fixture(scope="module")
async def api(house: Resources) -> AsyncIterator[Api]:
    settings = house.settings.model_copy(
        update={"graphql_bucket_points": 10**9, "graphql_points_per_second": 10**9, "verify_addresses": False}
    )
    resources = replace(house, settings=settings)
    door = FakeDoor(resources)
    application = GraphQLApplication(schema, door, resources)
    async with (
        serving_graphql(application) as address,
        httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as http,
    ):
        yield Api(http, door)


def hostile_variables(world: World, operation: Operation, path: Path, text: str) -> list[dict[str, Any]]:
    """The text at this place, all else fitting; in an object as a value and as a name."""
    kind: Any = operation.field.args[path[0]].type
    for part in path[1:]:
        kind = get_named_type(kind)
        kind = kind.fields[part].type if part != "*" else kind
    values: list[Any] = [{"city": text}, {text: "x"}] if get_named_type(kind).name == "JSONObject" else [text]
    return [Filling(world, operation, {path: value}).variables() for value in values]


@pytest.mark.parametrize("operation", WITH_TEXTS, ids=str)
async def test_hostile_text_is_refused_in_words_or_kept(api: Api, house: Resources, operation: Operation) -> None:
    world = await make_world(house)

    for path in text_places(operation):
        for kind, text in HOSTILE.items():
            for variables in hostile_variables(world, operation, path, text):
                answer = await api.post(world, operation, variables)

                refused = bool(codes(answer)) or bool(user_errors(answer))
                assert refused or kind not in NEVER_STORED, f"{operation} {path} takes {kind}"
                if path[-1] in IN_HEADERS and kind in ("line break", "control characters", "encoded word"):
                    assert refused, f"{operation} {path} takes {kind}: {answer}"

    for reading in operations("query"):
        if reads_what_was_written(reading, operation):
            await api.post(world, reading, Filling(world, reading, {}, full=False).variables() | {"first": 50})


def reads_what_was_written(reading: Operation, writing: Operation) -> bool:
    """Whether it lists what the mutation's payload shows."""
    if writing.kind != "mutation" or not is_connection(reading.field):
        return False
    payload = get_named_type(writing.field.type)
    assert isinstance(payload, GraphQLObjectType)
    shown = {get_named_type(field.type).name for field in payload.fields.values()}
    return get_named_type(reading.field.type).name.removesuffix("Connection") in shown


@pytest.mark.parametrize("operation", [each for each in operations("query", "mutation") if id_places(each)], ids=str)
async def test_a_malformed_id_is_an_unknown_one(client: SchemaClient, ours: World, operation: Operation) -> None:
    """Of every length and alphabet, and of a type that there is not."""
    unfit = ["\0", "\ud800"]
    malformed = ["", "?", "=" * 4, "x" * 100_000, "Q2FtcGFpZ246", "é\u202e", global_id("Nonsense", new_id()), *unfit]

    for place in id_places(operation):
        never = global_id("Workspace" if place.type_name == "Node" else place.type_name, new_id())
        unknown = await ask(client, ours, operation, Filling(ours, operation, {place.path: never}).variables())
        for text in malformed:
            answer = await ask(client, ours, operation, Filling(ours, operation, {place.path: text}).variables())

            is_alike = comparable(answer.get("data")) == comparable(unknown.get("data"))
            assert codes(answer) == ["BAD_INPUT"] if text in unfit else is_alike, (
                f"{place} {text!r}: {answer} {unknown}"
            )


async def ask(client: SchemaClient, world: World, operation: Operation, variables: dict[str, Any]) -> dict[str, Any]:
    parent = world.id(operation.parent) if operation.parent else None
    return await client.ask(world.owner, operation, variables, on="Workspace", parent=parent)
