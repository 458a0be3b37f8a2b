"""What a plan compiles, what it leaves to graphql-core, and what either gives."""

import gc
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError, GraphQLSchema, parse
from strawberry.schema.config import StrawberryConfig

from graph.core.compiled.executor import CompiledExecutor
from graph.core.compiled.plan import Plan
from graph.core.scalars import SCALARS
from tests.graph.core.compiled.documents import operation_of
from tests.graph.core.compiled.running import by_graphql_core, compiled, outcome

MOMENT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Part:
    number: int
    note: str | None = None


@strawberry.type
class Machine(Named):
    built_at: datetime
    parts: list[Part]
    spare: Part | None = None

    @strawberry.field
    async def serial(self, prefix: str = "n") -> str:
        return f"{prefix}-{self.name}"


@dataclass
class LikePart:
    """Has what a Part has, and is none."""

    number: int
    note: str | None


def machine() -> Machine:
    return Machine(name="press", built_at=MOMENT, parts=[Part(number=1), Part(number=2, note="worn")])


def broken() -> Machine:
    return Machine(name="press", built_at=MOMENT, parts=[Part(number=1), Part(number=1 << 40), Part(number=3)])


LOG: list[str] = []


@strawberry.type
class Query:
    @strawberry.field
    async def machine(self) -> Machine:
        return machine()

    @strawberry.field
    def named(self) -> Named | None:
        return machine()

    @strawberry.field
    def broken(self) -> Machine | None:
        return broken()

    @strawberry.field
    async def alike(self) -> list[Part]:
        return [LikePart(7, "alike")]  # type: ignore[list-item]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def build(self, name: str) -> Part:
        LOG.append(name)
        return Part(number=len(LOG))


SCHEMA: GraphQLSchema = strawberry.Schema(
    Query, Mutation, types=[Machine], config=StrawberryConfig(scalar_map=SCALARS)
)._schema


def plan(text: str, *, is_compiled: bool = True, is_eager: bool = True) -> Plan:
    document = parse(text)
    return Plan(SCHEMA, document, operation_of(document), is_compiled=is_compiled, is_eager=is_eager)


async def both(text: str, **variables: Any) -> tuple[Any, list[Any]]:
    """The data and errors of the compiled run, which are those of graphql-core."""
    got = await compiled(plan(text), variables)

    assert got == await by_graphql_core(SCHEMA, parse(text), variables)
    return got


async def run(made: Plan, **variables: Any) -> Any:
    executor = made.executor(variables, None)
    assert not isinstance(executor, list)
    result: Any = executor.execute_operation()
    return await result


async def test_keys_stand_in_the_order_of_the_document_resolvers_among_them() -> None:
    data, errors = await both(
        "{ machine { b: name serial a: name __typename builtAt ...F parts { n: number note } spare { number } } }"
        " fragment F on Machine { name }"
    )

    assert errors == []
    assert data == repr(
        {
            "machine": {
                "b": "press",
                "serial": "n-press",
                "a": "press",
                "__typename": "Machine",
                "builtAt": MOMENT,
                "name": "press",
                "parts": [{"n": 1, "note": None}, {"n": 2, "note": "worn"}],
                "spare": None,
            }
        }
    )


async def test_moments_reach_the_writer_of_json_as_they_are() -> None:
    result = await run(plan("{ machine { builtAt } }"))

    assert result.data["machine"]["builtAt"] is MOMENT


@pytest.mark.parametrize("is_shown", [True, False])
async def test_each_choice_of_conditions_has_its_own_functions(is_shown: bool) -> None:
    text = "query ($on: Boolean!) { machine { name @include(if: $on) parts @skip(if: $on) { number } } }"
    made = plan(text)
    await compiled(made, {"on": not is_shown})

    got = await compiled(made, {"on": is_shown})

    assert got == await by_graphql_core(SCHEMA, parse(text), {"on": is_shown})
    assert ("name" in got[0], "parts" in got[0]) == (is_shown, not is_shown)


async def test_a_wrong_value_is_reported_in_its_place_by_graphql_core() -> None:
    data, errors = await both("{ broken { parts { number } } machine { name } }")

    assert data == repr({"broken": None, "machine": {"name": "press"}})
    assert errors == [
        (
            "Int cannot represent non 32-bit signed integer value: 1099511627776",
            ["broken", "parts", 1, "number"],
            [(1, 20)],
            "GraphQLError",
        )
    ]


async def test_an_object_of_another_class_is_completed_by_graphql_core() -> None:
    assert await both("{ alike { number note } }") == (repr({"alike": [{"number": 7, "note": "alike"}]}), [])


async def test_an_interface_is_resolved_by_graphql_core_and_its_object_compiled() -> None:
    data, errors = await both("{ named { __typename name ... on Machine { parts { number } } } }")

    assert errors == []
    assert data == repr({"named": {"__typename": "Machine", "name": "press", "parts": [{"number": 1}, {"number": 2}]}})


async def test_mutations_run_one_after_the_other() -> None:
    LOG.clear()

    result = await run(plan('mutation { a: build(name: "x") { number } b: build(name: "y") { number } }'))

    assert outcome(result) == (repr({"a": {"number": 1}, "b": {"number": 2}}), [])
    assert LOG == ["x", "y"]


async def test_variables_that_do_not_fit_are_refused_in_the_words_of_graphql_core() -> None:
    text = "mutation ($name: String!) { build(name: $name) { number } }"
    LOG.clear()

    for given in ({}, {"name": None}, {"name": 5}):
        refused = plan(text).executor(given, None)
        assert isinstance(refused, list)
        assert (repr(None), outcome_of(refused)) == await by_graphql_core(SCHEMA, parse(text), given)
    assert LOG == []


def test_an_operation_is_compiled_when_it_comes_a_second_time() -> None:
    made = plan("{ machine { name } }", is_eager=False)

    assert [isinstance(made.executor({}, None), CompiledExecutor) for _ in range(3)] == [False, True, True]


def test_compiled_execution_can_be_switched_off() -> None:
    made = plan("{ machine { name } }", is_compiled=False)

    assert not isinstance(made.executor({}, None), CompiledExecutor)


def test_an_operation_with_other_directives_is_left_to_graphql_core() -> None:
    made = plan("{ machine { name @unknown } }")

    assert not isinstance(made.executor({}, None), CompiledExecutor)


def test_choices_of_conditions_are_bounded() -> None:
    names = [f"v{number}" for number in range(6)]
    head = ", ".join(f"${name}: Boolean!" for name in names)
    made = plan(f"query ({head}) {{ machine {{ {' '.join(f'{n}: name @skip(if: ${n})' for n in names)} }} }}")

    chosen = [
        made.executor({name: bool(choice >> bit & 1) for bit, name in enumerate(names)}, None) for choice in range(64)
    ]

    assert sum(isinstance(each, CompiledExecutor) for each in chosen) == 16


async def test_a_request_leaves_nothing_for_the_garbage_collector() -> None:
    made = plan("{ machine { name parts { number } serial } named { name } }")
    await run(made)
    gc.collect()
    gc.disable()
    try:
        await run(made)
        left = gc.collect()
    finally:
        gc.enable()

    assert left == 0


def outcome_of(errors: list[GraphQLError]) -> list[Any]:
    return [
        (
            each.message,
            each.path,
            [(at.line, at.column) for at in each.locations or ()],
            type(each.original_error).__name__,
        )
        for each in errors
    ]
