"""What an operation selects under one choice of its conditions: fields by type, and the functions generated for them."""

from collections.abc import Mapping

from graphql import (
    FragmentDefinitionNode,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from graph.core.compiled.source import Completing, Impure, PartlyRead, write_fields, write_value


class Selections:
    """Shared by all requests that make the same choice; holds nothing of any of them."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDetails],
        conditions: VariableValues,
    ) -> None:
        """Raises GraphQLError when a condition has no value."""
        self.schema = schema
        self.root_type = _root_type(schema, operation)
        self.root = collect_fields(schema, dict(fragments), conditions, self.root_type, operation)
        self._operation = operation
        self._fragments = dict(fragments)
        self._conditions = conditions
        self._below: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]] = {}
        self._values: dict[tuple[int, int], Completing | None] = {}
        self._fields: dict[tuple[int, int], PartlyRead | None] = {}

    def below(self, kind: GraphQLObjectType, nodes: FieldDetailsList) -> CollectedFields:
        """The fields selected on an object of this type. The same ones each time, so that they can be told by identity."""
        key = (kind, id(nodes))
        kept = self._below.get(key)
        if kept is None:
            made = collect_subfields(self.schema, self._fragments, self._conditions, self._operation, kind, nodes)
            kept = self._below[key] = (nodes, made)  # kept with the list, whose id must not be used again
        return kept[1]

    def completing(
        self, kind: GraphQLObjectType | GraphQLList[GraphQLOutputType], nodes: FieldDetailsList
    ) -> Completing | None:
        """The function that completes values of this type; None when they are not pure."""
        key = (id(kind), id(nodes))
        try:
            return self._values[key]
        except KeyError:
            made = self._values[key] = self._written(kind, nodes)
            return made

    def partly(self, kind: GraphQLObjectType, fields: GroupedFieldSet) -> PartlyRead | None:
        """The function that reads the plain attributes among fields of which some have resolvers; None when it is no gain."""
        key = (id(kind), id(fields))
        try:
            return self._fields[key]
        except KeyError:
            made = self._fields[key] = write_fields(self, kind, fields)
            return made

    def _written(
        self, kind: GraphQLObjectType | GraphQLList[GraphQLOutputType], nodes: FieldDetailsList
    ) -> Completing | None:
        try:
            return write_value(self, kind, nodes)
        except (Impure, RecursionError):
            return None


def fragments_of(definitions: Mapping[str, FragmentDefinitionNode]) -> dict[str, FragmentDetails]:
    return {name: FragmentDetails(definition) for name, definition in definitions.items()}


def _root_type(schema: GraphQLSchema, operation: OperationDefinitionNode) -> GraphQLObjectType:
    kind = schema.get_root_type(operation.operation)
    assert kind is not None, "the document is valid"
    return kind
