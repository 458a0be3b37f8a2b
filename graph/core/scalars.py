"""The scalars of the public schema, and the refusal of text that PostgreSQL cannot hold.

NUL and lone surrogates pass GraphQL's own String and ID. They are refused before execution: in variables by
`unfit_text`, in the document by rules.FitTextRule, so that every scalar is covered, JSON included.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, ValueNode
from graphql.utilities import value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

JsonObject = NewType("JsonObject", dict[str, Any])

_JSON_DEPTH = 16


def output_moment(value: object) -> datetime:
    """Aware datetimes stay objects: orjson writes them as RFC 3339, faster than isoformat."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"a DateTime field got {value!r}, which is no aware datetime")
    return value


def _input_moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise GraphQLError('A DateTime is text such as "2026-01-31T09:00:00Z".')
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise GraphQLError(f'"{value[:40]}" is no DateTime: write it like "2026-01-31T09:00:00Z".') from None
    if moment.tzinfo is None:
        raise GraphQLError(f'"{value[:40]}" names no time zone: end it with "Z" or an offset such as "+02:00".')
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise GraphQLError(f'"{value[:40]}" is outside the years that can be stored.') from None


def _output_day(value: object) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"a Date field got {value!r}, which is no day")
    return value.isoformat()


def _input_day(value: object) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) and len(value) == 10 else "")
    except ValueError:
        raise GraphQLError('A Date is text such as "2026-01-31".') from None


def _output_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a JSONObject field got {type(value).__name__}")
    return value


def _input_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GraphQLError("A JSONObject is an object with named values.")
    if _deeper_than(value, _JSON_DEPTH):
        raise GraphQLError(f"A JSONObject nests at most {_JSON_DEPTH} levels.")
    return value


def _literal_object(node: ValueNode, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return _input_object(value_from_ast_untyped(node, dict(variables) if variables else None))


def _deeper_than(value: object, levels: int) -> bool:
    if levels < 0:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_deeper_than(item, levels - 1) for item in inner)


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment with its offset, as in RFC 3339; answers are in UTC.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=output_moment,
        parse_value=_input_moment,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day without a time zone, as in RFC 3339.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=_output_day,
        parse_value=_input_day,
    ),
    JsonObject: strawberry.scalar(
        name="JSONObject",
        description="An object of any JSON values by name.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-4",
        serialize=_output_object,
        parse_value=_input_object,
        parse_literal=_literal_object,
    ),
}


def is_fit_text(text: str) -> bool:
    """Whether PostgreSQL can store the text: no NUL, no lone surrogate."""
    return "\0" not in text and (
        text.isascii() or text.isprintable() or not any("\ud800" <= c <= "\udfff" for c in text)
    )


def unfit_text(value: object) -> str | None:
    """The path of a text in a JSON value that holds NUL or a lone surrogate, names included; None when all are fit."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        path, each = waiting.pop()
        if isinstance(each, str):
            if not is_fit_text(each):
                return path
        elif isinstance(each, dict):
            for name, inner in each.items():
                if not is_fit_text(name):
                    return path
                waiting.append((f"{path}.{name}" if path else name, inner))
        elif isinstance(each, list):
            waiting.extend((f"{path}.{index}", inner) for index, inner in enumerate(each))
    return None
