"""Compiled execution gives what graphql-core gives, whatever the schema, the document and the data."""

import asyncio
import random
from functools import partial
from typing import Any

import pytest
from graphql import parse

from tests.graph.core.compiled.documents import is_valid, make_document, smallest
from tests.graph.core.compiled.running import LEFT_COROUTINES, by_graphql_core, compiled, plan_of
from tests.graph.core.compiled.schemas import Made, make_schema
from tests.graph.core.compiled.values import Values

DOCUMENTS, RUNS = 30, 4  # a schema; each run has other data and variables


@LEFT_COROUTINES
@pytest.mark.parametrize(
    ("first", "schemas"),
    [(0, 20), pytest.param(1_000, 600, marks=pytest.mark.full)],
    ids=["sample", "full"],
)
async def test_both_executors_give_the_same(first: int, schemas: int) -> None:
    cases = 0
    for seed in range(first, first + schemas):
        made = make_schema(seed)
        for number in range(DOCUMENTS):
            text = make_document(made.schema, seed * 1_000 + number)
            if is_valid(made.schema, text):
                cases += RUNS
                await _check(made, text, seed * 1_000_000 + number * 1_000)

    assert cases >= schemas * DOCUMENTS * RUNS * 0.6


async def _check(made: Made, text: str, seed: int) -> None:
    document = parse(text)
    plan = plan_of(made.schema, document)
    for run in range(RUNS):
        variables, poison = _variables(seed + run), (0.0, 0.02, 0.1, 0.4)[run % 4]
        made.values.values = Values(made.schema, seed + run, poison=poison)
        wanted = await by_graphql_core(made.schema, document, variables)
        got = await compiled(plan, variables)
        if got != wanted:
            text = await asyncio.to_thread(smallest, text, partial(_differs, made, variables))
            raise AssertionError(f"seed {seed + run}, {variables}\n{text}\nwanted {wanted}\ngot    {got}")


def _differs(made: Made, variables: dict[str, Any], text: str) -> bool:
    """Whether the shorter document still shows the difference. Called outside the loop of the test."""
    if not is_valid(made.schema, text):
        return False
    document = parse(text)

    async def both() -> bool:
        wanted = await by_graphql_core(made.schema, document, variables)
        return await compiled(plan_of(made.schema, document), variables) != wanted

    return asyncio.run(both())


def _variables(seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    variables: dict[str, Any] = {"z": chance.random() < 0.5}
    if chance.random() < 0.5:
        variables["y"] = chance.random() < 0.5
    if chance.random() < 0.5:
        variables["n"] = chance.choice([1, 2, "three", None, 1 << 40, True])
    if chance.random() < 0.3:
        variables["t"] = chance.choice(["text", None, 5])
    return variables if chance.random() < 0.95 else {}
