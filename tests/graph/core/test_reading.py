"""Reading through the schema: pages, nodes, scalars, loaders, and errors that say what to do and nothing more."""

from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.core.caller import Caller
from app.core.errors import ErrorCode
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.core.resources import Resources
from graph.context import Context
from graph.core.build import PublicSchema
from graph.core.errors import SENTENCES
from graph.core.ids import global_id
from tests.graph.core.client import run
from tests.graph.core.fake_door import FakeDoor
from tests.graph.core.notes import write_note

LIST = """
query ($first: Int, $after: String) {
  notes(first: $first, after: $after) { edges { cursor node { text } } pageInfo { hasNextPage endCursor startCursor } }
}
"""


@pytest.fixture
def caller(resources: Resources) -> Caller:
    return FakeDoor(resources).user("token")


async def test_pages_follow_each_other_newest_first_until_the_end(schema: PublicSchema, caller: Caller) -> None:
    for number in range(5):
        await write_note(caller, f"note {number}")

    texts, after = [], None
    for _ in range(3):
        page = (await run(schema, caller, LIST, {"first": 2, "after": after}))["data"]["notes"]
        texts.append([edge["node"]["text"] for edge in page["edges"]])
        after = page["pageInfo"]["endCursor"]

    assert texts == [["note 4", "note 3"], ["note 2", "note 1"], ["note 0"]]
    assert page["pageInfo"]["hasNextPage"] is False


async def test_an_empty_page_has_no_cursors(schema: PublicSchema, caller: Caller) -> None:
    page = (await run(schema, caller, LIST, {}))["data"]["notes"]

    assert page == {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None, "startCursor": None}}


@pytest.mark.parametrize("first", [0, -1, 101, 2_147_483_647])
async def test_a_page_of_the_wrong_size_is_refused_with_the_sizes(
    schema: PublicSchema, caller: Caller, first: int
) -> None:
    answer = await run(schema, caller, LIST, {"first": first})

    assert answer["errors"][0]["message"] == f"Ask for 1 to 100 items: `first` was {first}."
    assert answer["errors"][0]["extensions"] == {"code": "BAD_INPUT"}


async def test_a_cursor_that_is_none_is_refused(schema: PublicSchema, caller: Caller) -> None:
    answer = await run(schema, caller, LIST, {"after": "nonsense"})

    assert answer["errors"][0]["extensions"] == {"code": "BAD_INPUT"}
    assert "endCursor" in answer["errors"][0]["message"]


async def test_node_and_nodes_find_ones_own_and_null_for_all_else(schema: PublicSchema, resources: Resources) -> None:
    door = FakeDoor(resources)
    mine, theirs = door.user("mine"), door.user("theirs")
    row, foreign = await write_note(mine, "mine"), await write_note(theirs, "theirs")
    ids = [
        global_id("Note", foreign.id),
        global_id("Note", row.id),
        global_id("Note", new_id()),
        global_id("Nothing", row.id),
        global_id("Query", row.id),
        "nonsense",
        "",
        global_id("Note", row.id),
    ]

    answer = await run(
        schema,
        mine,
        "query ($ids: [ID!]!, $id: ID!) { nodes(ids: $ids) { id ... on Note { text } } node(id: $id) { __typename } }",
        {"ids": ids, "id": ids[1]},
    )

    found = {"id": ids[1], "text": "mine"}
    assert answer["data"] == {
        "nodes": [None, found, None, None, None, None, None, found],
        "node": {"__typename": "Note"},
    }
    assert "errors" not in answer


async def test_more_nodes_than_allowed_are_refused(schema: PublicSchema, caller: Caller) -> None:
    answer = await run(schema, caller, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 101})

    assert answer["errors"][0]["extensions"]["code"] == "BAD_INPUT"


async def test_what_is_not_there_is_null_and_its_lists_are_empty(schema: PublicSchema, caller: Caller) -> None:
    answer = await run(schema, caller, '{ note(id: "nonsense") { id } notesUnder { edges { cursor } } }')

    assert answer["data"] == {"note": None, "notesUnder": {"edges": []}}
    assert "errors" not in answer


@pytest.mark.parametrize("how", ["crash", "leaf", "null"])
async def test_what_goes_wrong_on_our_side_is_masked_and_logged_with_the_request_id(
    schema: PublicSchema, caller: Caller, how: str
) -> None:
    with capture_logs() as logs:
        answer = await run(schema, caller, "query ($how: String!) { fail(how: $how) }", {"how": how})

    (error,) = answer["errors"]
    assert error["message"] == "Something went wrong on our side. Mention request test when you ask about it."
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "test"}
    assert error["path"] == ["fail"]
    assert [(log["event"], log["request_id"]) for log in logs] == [("graphql.internal_error", "test")]


async def test_a_domain_error_in_a_query_is_bad_input_with_its_reason(schema: PublicSchema, caller: Caller) -> None:
    answer = await run(schema, caller, '{ fail(how: "domain") }')

    assert answer["errors"][0]["message"] == "Too long for a query."
    assert answer["errors"][0]["extensions"] == {"code": "BAD_INPUT", "reason": "TOO_LONG"}


async def test_several_refusals_come_at_once(schema: PublicSchema, caller: Caller) -> None:
    answer = await run(
        schema,
        caller,
        "mutation ($t: String!) { addNote(input: {text: $t}) { note { id } userErrors { code path message } } }",
        {"t": "x" * 41},
    )

    assert answer["data"]["addNote"] == {
        "note": None,
        "userErrors": [{"code": "TOO_LONG", "path": ["input", "text"], "message": "A note has at most 40 characters."}],
    }


async def test_a_viewer_without_the_permission_gets_forbidden_and_no_note(
    schema: PublicSchema, resources: Resources
) -> None:
    member = FakeDoor(resources).user("token", role=TenantRole.MEMBER)

    answer = await run(schema, member, 'mutation { addNote(input: {text: "a"}) { note { id } } }')

    assert answer["data"] is None
    assert answer["errors"][0]["message"] == "You need the permission tenant.update."


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udfff tail"])
@pytest.mark.parametrize("shape", ["text", "values", "name", "list"])
async def test_nul_and_lone_surrogates_are_refused_in_variables(
    schema: PublicSchema, caller: Caller, text: str, shape: str
) -> None:
    values: dict[str, Any] = {"text": text, "values": {"a": text}, "name": {text: 1}, "list": {"a": [[{"b": text}]]}}
    variables = {"v": values[shape]}
    query = (
        "query ($v: String) { echo(text: $v) }" if shape == "text" else "query ($v: JSONObject) { echo(values: $v) }"
    )

    answer = await run(schema, caller, query, variables)

    assert answer["errors"][0]["extensions"] == {"code": "BAD_INPUT"}
    assert "NUL" in answer["errors"][0]["message"]


async def test_nul_is_refused_in_the_document(schema: PublicSchema, caller: Caller) -> None:
    answer = await run(schema, caller, r'{ echo(text: "a\u0000b", values: {a: "\u0000"}) }')

    assert [error["message"] for error in answer["errors"]] == [
        "Text cannot hold the character NUL or a lone surrogate."
    ] * 2


async def test_text_beyond_the_basic_plane_passes(schema: PublicSchema, caller: Caller) -> None:
    text = "Zażółć 🐧 \u202e\t"

    assert (await run(schema, caller, "query ($v: String) { echo(text: $v) }", {"v": text}))["data"]["echo"][
        "text"
    ] == text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00+00:00"),
        ("2026-01-31T09:00:00+02:00", "2026-01-31T07:00:00+00:00"),
        ("2026-01-31T09:00:00", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (5, None),
    ],
)
async def test_a_moment_needs_its_zone_and_is_answered_in_utc(
    schema: PublicSchema, caller: Caller, given: Any, expected: str | None
) -> None:
    answer = await run(schema, caller, "query ($at: DateTime) { echo(at: $at) }", {"at": given})

    if expected is None:
        assert answer["errors"][0]["extensions"] == {"code": "BAD_INPUT"}
    else:
        assert answer["data"]["echo"]["at"] == expected


@pytest.mark.parametrize("values", [[], "text", 1, {"a": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}])
async def test_a_json_object_is_an_object_of_bounded_depth(schema: PublicSchema, caller: Caller, values: Any) -> None:
    answer = await run(schema, caller, "query ($v: JSONObject) { echo(values: $v) }", {"v": values})

    assert answer["errors"][0]["extensions"] == {"code": "BAD_INPUT"}


async def test_a_json_object_may_be_a_literal_with_variables(schema: PublicSchema, caller: Caller) -> None:
    answer = await run(
        schema, caller, 'query ($v: Int) { echo(values: {a: [1, 2.5, "x", null, true], b: $v}) }', {"v": 7}
    )

    assert answer["data"]["echo"]["values"] == {"a": [1, 2.5, "x", None, True], "b": 7}


async def test_loaders_batch_and_remember_until_told_to_forget(caller: Caller) -> None:
    import asyncio

    batches: list[list[int]] = []

    async def doubled(context: Context, keys: Sequence[int]) -> list[int]:
        batches.append(list(keys))
        return [2 * key for key in keys]

    context = Context(caller)
    assert await asyncio.gather(*(context.loaders.load(doubled, key) for key in (1, 2, 1))) == [2, 4, 2]
    assert await context.loaders.load(doubled, 2) == 4
    context.loaders.forget()
    assert await context.loaders.load(doubled, 2) == 4

    assert batches == [[1, 2], [2]]


def test_every_error_code_has_its_sentence() -> None:
    assert set(SENTENCES) == set(ErrorCode)


@pytest.mark.parametrize(
    ("query", "variables", "says"),
    [
        ("query ($n: Int!) { notes(first: $n) { edges { cursor } } }", {}, "Variable '$n' has invalid value: Expected"),
        ("query ($n: Int!) { notes(first: $n) { edges { cursor } } }", {"n": None}, "Variable '$n' has invalid value: Expected"),
        ("query ($n: Int) { notes(first: $n) { edges { cursor } } }", {"n": "x"}, "Variable '$n' has invalid value: Int cannot represent"),
        ("query ($n: Int) { notes(first: $n) { edges { cursor } } }", {"n": None}, "Argument 'first' has invalid value: Expected variable '$n'"),
        ("mutation ($i: AddNoteInput!) { addNote(input: $i) { length } }", {"i": {"text": None}}, "Variable '$i' has invalid value at .text: Expected"),
        ("{ notes(first: \"x\") { edges { cursor } } }", {}, "Argument 'first' has invalid value: Int cannot represent"),
        ("{ notes(first: null) { edges { cursor } } }", {}, "Argument 'first' has invalid value: Expected"),
        ("query ($n: Int = \"x\") { notes(first: $n) { edges { cursor } } }", {}, "Variable '$n' has invalid value: Int cannot"),
        ("mutation { addNote(input: {text: 1}) { length } }", {}, "Argument 'input' has invalid value: String cannot represent"),
    ],
)  # fmt: skip
async def test_a_value_of_the_wrong_type_is_refused_by_the_name_of_its_variable_or_argument(
    schema: PublicSchema, caller: Caller, query: str, variables: dict[str, Any], says: str
) -> None:
    answer = await run(schema, caller, query, variables)

    assert answer["errors"][0]["extensions"] == {"code": "BAD_INPUT"}
    assert answer["errors"][0]["message"].startswith(says)
