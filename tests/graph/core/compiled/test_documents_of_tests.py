"""Every document of our tests gives the same compiled, over the real schemas with made-up data behind their resolvers."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    is_list_type,
    is_non_null_type,
    parse,
    type_from_ast,
    validate,
)
from graphql.execution.collect_fields import collect_fields
from graphql.execution.values import VariableValues
from strawberry.schema.schema_converter import GraphQLCoreConverter

from graph.core.build import build_schema, root
from graph.core.compiled.plan import Plan
from graph.schema import MUTATIONS, QUERIES, SUBSCRIPTIONS
from tests.graph.core.compiled.running import (
    LEFT_COROUTINES,
    by_graphql_core,
    compiled,
    event_by_graphql_core,
    event_compiled,
)
from tests.graph.core.compiled.values import Values
from tests.graph.core.notes import note_schema

TESTS = Path(__file__).resolve().parents[3]
RUNS = 5
JSON: dict[str, Any] = {
    "Boolean": True,
    "Int": 3,
    "Float": 1.5,
    "DateTime": "2026-11-24T09:00:00Z",
    "Date": "2026-11-24",
    "JSONObject": {"a": 1},
}


class Pretended:
    """A schema of ours, built anew, whose resolvers give made-up values."""

    values: Values

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        for kind in schema.type_map.values():
            if isinstance(kind, GraphQLObjectType) and kind is not schema.subscription_type:
                for field in kind.fields.values():
                    declared = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
                    if declared is not None and not declared.is_basic_field:
                        field.resolve = self._resolve_later if declared.is_async else self._resolve

    def _resolve(self, _source: Any, info: Any, **arguments: Any) -> Any:
        return self.values.resolved(info, repr(arguments))

    async def _resolve_later(self, _source: Any, info: Any, **arguments: Any) -> Any:
        return await self.values.resolved_later(info, repr(arguments))


def pretended() -> list[Pretended]:
    ours = build_schema(
        query=root("Query", "Reads.", QUERIES),
        mutation=root("Mutation", "Writes.", MUTATIONS),
        subscription=root("Subscription", "Watches.", SUBSCRIPTIONS),
    )
    return [Pretended(ours._schema), Pretended(note_schema()._schema)]


def texts() -> list[str]:
    """Every text in our tests that may be a document."""
    found: dict[str, None] = {}
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{" in node.value:
                found[node.value] = None
    return list(found)


def operations(schema: GraphQLSchema) -> Iterator[tuple[str, DocumentNode, OperationDefinitionNode]]:
    for text in texts():
        try:
            document = parse(text, max_tokens=5_000)
            if validate(schema, document):
                continue
        except (GraphQLError, RecursionError):
            continue
        own = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        if len(own) == 1:
            yield text, document, own[0]


@LEFT_COROUTINES
async def test_every_document_of_our_tests_gives_the_same_compiled() -> None:
    checked = 0
    for each in pretended():
        for text, document, operation in operations(each.schema):
            plan = Plan(each.schema, document, operation, is_eager=True)
            variables = {
                node.variable.name.value: _json(type_from_ast(each.schema, node.type))
                for node in operation.variable_definitions or ()
            }
            for run in range(RUNS):
                each.values = Values(each.schema, run, poison=(0.0, 0.0, 0.02, 0.1, 0.3)[run])
                assert await _both_are_equal(each, document, operation, plan, variables), f"run {run} of {text}"
                checked += 1

    assert checked > 100 * RUNS


async def _both_are_equal(
    pretended: Pretended,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    plan: Plan,
    variables: dict[str, Any],
) -> bool:
    schema = pretended.schema
    if operation.operation is not OperationType.SUBSCRIPTION:
        wanted = await by_graphql_core(schema, document, variables)
        return await compiled(plan, variables) == wanted
    kind = schema.subscription_type
    assert kind is not None
    (nodes,) = collect_fields(schema, {}, VariableValues({}, {}), kind, operation).grouped_field_set.values()
    field = schema.get_field(kind, nodes[0].node.name.value)
    assert field is not None
    events = [pretended.values.event(field.type, nodes[0].node.name.value) for _executor in range(2)]
    return await event_compiled(plan, variables, events[0]) == await event_by_graphql_core(
        schema, document, variables, events[1]
    )


def _json(kind: Any) -> Any:
    """What a client may send for the type."""
    if is_non_null_type(kind):
        return _json(kind.of_type)
    if is_list_type(kind):
        return [_json(kind.of_type)]
    if isinstance(kind, GraphQLInputObjectType):
        return {name: _json(field.type) for name, field in kind.fields.items() if is_non_null_type(field.type)}
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    return JSON.get(kind.name, "text")
