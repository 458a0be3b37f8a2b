"""Variables of an operation, with their types looked up once. What is not plainly right is coerced by graphql-core."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInt,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values

_MOST_ERRORS = 50  # graphql-core's own default


def _is_small(value: Any) -> bool:
    return type(value) is int and -2147483648 <= value <= 2147483647


# Types whose coercion gives the very value back, when it is of this kind.
_AS_THEY_ARE: dict[Any, Callable[[Any], bool]] = {
    GraphQLID: lambda value: type(value) is str,
    GraphQLString: lambda value: type(value) is str,
    GraphQLBoolean: lambda value: type(value) is bool,
    GraphQLInt: _is_small,
}


class Variables:
    """The variables that one operation declares."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._nodes = tuple(operation.variable_definitions or ())
        self._plain = self._signatures()

    def coerced(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """What graphql-core makes of the given values: the values, or why they do not fit."""
        sources: dict[str, VariableValueSource] = {}
        values: dict[str, Any] = {}
        for signature, fits, is_required in self._plain or ():
            name = signature.name
            if name not in given:
                if is_required or signature.default is not None:
                    break
                sources[name] = VariableValueSource(signature)
                continue
            value = given[name]
            if not (fits(value) or (value is None and not is_required)):
                break
            sources[name] = VariableValueSource(signature, value)
            values[name] = value
        else:
            if self._plain is not None:
                return VariableValues(sources, values)
        return get_variable_values(
            self._schema, self._nodes, dict(given), max_errors=_MOST_ERRORS, hide_suggestions=True
        )

    def _signatures(self) -> list[tuple[GraphQLVariableSignature, Callable[[Any], bool], bool]] | None:
        """Each variable with its test; None when one of them is of a type whose values need more."""
        found = []
        for node in self._nodes:
            signature = get_variable_signature(self._schema, node)
            if isinstance(signature, GraphQLError):
                return None
            is_required = is_non_null_type(signature.type)
            fits = _AS_THEY_ARE.get(signature.type.of_type if is_non_null_type(signature.type) else signature.type)
            if fits is None:
                return None
            found.append((signature, fits, is_required))
        return found
