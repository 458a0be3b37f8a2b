"""Leaves in generated code: an expression that lets through what needs no coercion, and calls `complete` for all else."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, cast

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
)
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from graph.core.scalars import output_moment

# What coercion gives back as it is: the class, and what must hold besides. {x} is the value's name in the generated code.
_AS_THEY_ARE: dict[GraphQLScalarType, tuple[type, str]] = {
    GraphQLString: (str, ""),
    GraphQLID: (str, ""),
    GraphQLBoolean: (bool, ""),
    GraphQLInt: (int, " and -2147483648 <= {x} <= 2147483647"),
    GraphQLFloat: (float, " and {x} - {x} == 0.0"),  # neither infinite nor NaN
}
_MOMENT = (datetime, " and {x}.tzinfo is not None")


class Slow(Exception):
    """Generated code met what it does not know: graphql-core completes the same value."""


def leaf(kind: GraphQLLeafType, first: str, x: str, named: Callable[[str, object], str]) -> str:
    """The expression of a completed leaf. `first` is evaluated first and gives the value, `x` names it from then on.

    `named` brings an object into the generated code under a name that starts as given.
    """
    complete = named("complete", completion(kind))
    if isinstance(kind, CustomGraphQLEnumType):
        names = _names(kind)
        if names is None:
            return f"{complete}({first})"
        return f"({named('names', names)}[{x}._value_] if type({first}) is {named('Enum', kind.wrapped_cls)} else {complete}({x}))"
    known = _known(kind)
    if known is None:
        return f"{complete}({first})"
    wanted, condition = known
    return f"({x} if type({first}) is {named('Class', wanted)}{condition.format(x=x)} else {complete}({x}))"


def completion(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    """Completes a value as graphql-core does. Raises Slow, or what coercion raises, where graphql-core would find an error."""
    coerce = kind.coerce_output_value

    def complete(value: Any) -> Any:
        if value is None or value is Undefined or isinstance(value, Exception) or optimized_is_awaitable(value):
            raise Slow
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise Slow
        return coerced

    return complete


def _known(kind: GraphQLLeafType) -> tuple[type, str] | None:
    if kind.coerce_output_value is output_moment:
        return _MOMENT
    return _AS_THEY_ARE.get(kind) if isinstance(kind, GraphQLScalarType) else None


def _names(kind: CustomGraphQLEnumType) -> dict[object, str] | None:
    """A member's value -> its name in the schema; None where values are no keys."""
    members = cast("type[Enum]", kind.wrapped_cls)
    try:
        return {member.value: kind.coerce_output_value(member) for member in members}
    except (TypeError, ValueError):
        return None
