"""The demo asks only what the public schema answers."""

import pytest
from graphql import parse, validate

from app.demo import documents
from graph.schema import schema

KINDS = ("query", "mutation", "subscription")
OPERATIONS = {name: text for name, text in vars(documents).items() if name.isupper() and text.split()[0] in KINDS}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_fits_the_schema(name: str) -> None:
    assert validate(schema._schema, parse(OPERATIONS[name])) == []


def test_no_operation_was_overlooked() -> None:
    assert len(OPERATIONS) >= 18
