"""Limits and costs: found in linear time, before validation, and remembered by a cache that hits."""

import time
from typing import Any

import pytest
from graphql import GraphQLError, get_introspection_query

from graph.core.build import PublicSchema
from graph.core.documents import Closed, Documents, Operation, Refused
from graph.core.errors import TooComplex
from graph.core.limits import Limits, check_cost
from graph.core.price import MOST


@pytest.fixture
def documents(schema: PublicSchema) -> Documents:
    return Documents(schema._schema, sign_in=schema.anonymous_mutations)


def prepared(documents: Documents, text: str, name: str | None = None) -> Operation:
    return documents.operation(text, name, signed_in=True)


def refused(documents: Documents, text: str) -> GraphQLError:
    with pytest.raises(Refused) as caught:
        prepared(documents, text)
    return caught.value.errors[0]


@pytest.mark.parametrize(
    ("text", "variables", "cost"),
    [
        ("{ __typename }", {}, 1),
        ("{ fail(how: \"x\") }", {}, 1),
        ("{ notes(first: 0) { edges { node { id } } } }", {}, 1),
        ("query ($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": []}, 1),
        ("{ note(id: \"x\") { id text } }", {}, 1),
        ("{ notes { pageInfo { endCursor } } }", {}, 1),
        ("{ notes { edges { cursor } } }", {}, 1),
        ("{ notes { edges { node { id } } } }", {}, 26),
        ("{ notes(first: 7) { edges { node { id } } } }", {}, 8),
        ("query ($n: Int) { notes(first: $n) { edges { node { id } } } }", {"n": 7}, 8),
        ("query ($n: Int) { notes(first: $n) { edges { node { id } } } }", {}, 26),
        ("query ($n: Int = 3) { notes(first: $n) { edges { node { id } } } }", {}, 4),
        ("query ($n: Int = 3) { notes(first: $n) { edges { node { id } } } }", {"n": 9}, 10),
        ("query ($n: Int) { notes(first: $n) { edges { node { id } } } }", {"n": 1_000_000_000}, 101),
        ("query ($n: Int) { notes(first: $n) { edges { node { id } } } }", {"n": -5}, 1),
        ("query ($n: Int) { notes(first: $n) { edges { node { id } } } }", {"n": "nonsense"}, 26),
        ("{ notes(first: 10) { edges { node { others(first: 10) { edges { node { id } } } } } } }", {}, 1 + 10 * (1 + 11)),
        ("query ($n: Int) { notes(first: $n) { edges { node { others(first: $n) { edges { node { id } } } } } } }", {"n": 5}, 1 + 5 * (1 + 6)),
        ("{ notes { ...F } } fragment F on NoteConnection { edges { node { id } } }", {}, 26),
        ("{ ... on Query { notes { edges { node { id } } } } }", {}, 26),
        ("{ nodes(ids: [\"a\", \"b\", \"c\"]) { id } }", {}, 3),
        ("query ($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["a"] * 40}, 40),
        ("query ($i: [ID!]! = [\"a\", \"b\"]) { nodes(ids: $i) { id } }", {}, 2),
        ("{ __schema { types { name } } }", {}, 100),
        ("mutation { addNote(input: {text: \"a\"}) { note { id } userErrors { code } } }", {}, 3),
    ],
)  # fmt: skip
def test_an_object_costs_a_point_and_a_connection_multiplies(
    documents: Documents, text: str, variables: dict[str, Any], cost: int
) -> None:
    assert prepared(documents, text).cost(variables) == cost


def test_a_cost_over_the_limit_is_refused_with_both_numbers(documents: Documents) -> None:
    nested = "others(first: 100) { edges { node { " * 3 + "id" + " } } }" * 3
    operation = prepared(documents, "{ notes(first: 100) { edges { node { " + nested + " } } } }")

    with pytest.raises(TooComplex) as caught:
        check_cost(operation.cost({}), Limits())

    assert caught.value.message.startswith("This operation costs 102020201 points, and 12000 is the limit")


def test_a_document_of_comments_or_giant_texts_is_refused_unread(documents: Documents) -> None:
    """Neither makes tokens, and a megabyte of either takes a tenth of a second to read, for anybody and for free."""
    for text in ("{ __typename }" + "#" * 70_000, '{ note(id: "' + "x" * 70_000 + '") { id } }'):
        assert refused(documents, text).message.startswith("This document has more than 65536 characters")
        with pytest.raises(Closed):
            documents.operation(text, None, signed_in=False)


def test_a_cost_beyond_counting_stays_a_number(schema: PublicSchema) -> None:
    documents = Documents(schema._schema, sign_in=frozenset(), limits=Limits(depth=90))
    nested = "others(first: $n) { edges { node { " * 20 + "id" + " } } }" * 20
    operation = prepared(documents, "query ($n: Int) { notes { edges { node { " + nested + " } } } }")

    assert operation.cost({"n": 100}) == MOST


def test_a_bomb_of_sixty_fragments_is_refused_in_no_time(documents: Documents) -> None:
    spreads = "".join(f"fragment f{n} on Note {{ ...f{n + 1} ...f{n + 1} }} " for n in range(60))
    bomb = "{ notes { edges { node { ...f0 } } } } " + spreads + "fragment f60 on Note { text }"

    started = time.perf_counter()
    error = refused(documents, bomb)

    assert time.perf_counter() - started < 0.1
    assert isinstance(error, TooComplex)
    assert "500 fields" in error.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{ note(id: \"x\") { " + "text " * 501 + "} }", "500 fields"),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(61)) + " }", "60 aliases"),
        ("{ __typename " + "@skip(if: false) " * 61 + "}", "60 directives"),
        ("query " + "@a " * 61 + "{ __typename }", "60 directives"),
        ("{ notes { edges { node { " + "others { edges { node { " * 5 + "id" + " } } }" * 5 + " } } } }", "16 levels"),
        ("{ " + "... { " * 99 + "__typename" + " }" * 100, "16 levels"),
        ("{ " + "a " * 4_001 + "}", "4000 tokens"),
        ("{ a " * 1_500, "nests too deeply"),
        ("{ __typename } " + " ".join(f"fragment f{n} on Note {{ id }}" for n in range(101)), "100 fragments"),
        ("{ ...f0 } " + " ".join(f"fragment f{n} on Query {{ ...f{n + 1} }}" for n in range(99)) + " fragment f99 on Query { __typename }", "16 levels"),
    ],
)  # fmt: skip
def test_each_limit_says_what_there_is_too_much_of(documents: Documents, text: str, says: str) -> None:
    error = refused(documents, text)

    assert isinstance(error, TooComplex)
    assert says in error.message


def test_fragments_in_a_circle_are_named_and_end(documents: Documents) -> None:
    error = refused(documents, "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }")

    assert "Cannot spread fragment" in error.message


def test_introspection_of_every_usual_client_fits(documents: Documents) -> None:
    full = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )

    assert prepared(documents, full).cost({}) == 100


def test_introspection_does_not_multiply_itself(documents: Documents) -> None:
    nested = "fields { type { " * 4 + "name" + " } }" * 4

    assert "introspection depth" in refused(documents, "{ __schema { types { " + nested + " } } }").message


def test_suggestions_do_not_leak(documents: Documents) -> None:
    texts = ("{ nots { edges { cursor } } }", "{ notes(firs: 1) { edges { cursor } } }", "{ note(id: 1) { tex } }", "mutation { addNote(input: {tex: \"a\"}) { length } }")  # fmt: skip

    assert all("Did you mean" not in refused(documents, text).message for text in texts)


def test_the_same_text_is_prepared_once_and_an_invalid_one_never_kept(documents: Documents) -> None:
    first = prepared(documents, "{ __typename }")
    assert prepared(documents, "{ __typename }") is first
    refused(documents, "{ unknown }")
    refused(documents, "{ unknown }")

    assert (documents.hits, documents.misses) == (1, 3)
    assert len(documents._kept) == 1


def test_the_cache_is_bounded(documents: Documents) -> None:
    for number in range(600):
        prepared(documents, f"query A{number} {{ __typename }}")
    prepared(documents, "{ __typename } #" + "x" * 40_000)

    assert len(documents._kept) == 512


def test_what_was_kept_for_a_signed_in_caller_stays_closed_to_others(documents: Documents) -> None:
    prepared(documents, "{ notes { edges { cursor } } }")

    with pytest.raises(Closed):
        documents.operation("{ notes { edges { cursor } } }", None, signed_in=False)


async def test_too_complex_is_answered_with_its_code(schema: PublicSchema, http: Any) -> None:
    nested = "others(first: 100) { edges { node { id } } }"
    body = {"query": "query ($n: Int) { notes(first: $n) { edges { node { " + nested + nested.replace("others", "b: others") + " } } } }", "variables": {"n": 100}}  # fmt: skip

    new = await http.post("/graphql", json=body, headers={"accept": "application/graphql-response+json"})
    old = await http.post("/graphql", json=body)

    assert (new.status_code, old.status_code) == (400, 200)
    assert new.json()["errors"][0]["extensions"] == {"code": "QUERY_TOO_COMPLEX"}
