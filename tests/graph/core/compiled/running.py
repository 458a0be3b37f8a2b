"""Runs a document with graphql-core alone and compiled, and tells each outcome so that two can be compared."""

import re
from collections.abc import Mapping
from typing import Any, cast

import pytest
from graphql import DocumentNode, ExecutionResult, GraphQLSchema, execute
from graphql.execution import execute_subscription_event
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.core.compiled.plan import Plan
from tests.graph.core.compiled.documents import operation_of

# graphql-core leaves coroutines behind when it cancels what fails beside them, with and without compiled parts.
LEFT_COROUTINES = pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited:RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
Outcome = tuple[str, list[tuple[Any, ...]]]


async def by_graphql_core(
    schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any], context: object = None
) -> Outcome:
    result: Any = execute(
        schema,
        document,
        context_value=context,
        variable_values=dict(variables),
        is_awaitable=cast("Any", optimized_is_awaitable),
        executor_class=StrawberryGraphQLCoreExecutionContext,
        operation_extensions={},
        hide_suggestions=True,
    )
    return outcome(await result if optimized_is_awaitable(result) else result)


async def event_by_graphql_core(
    schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any], event: object
) -> Outcome:
    """The answer to one event of a subscription."""
    executor = StrawberryGraphQLCoreExecutionContext.build(
        schema,
        document,
        raw_variable_values=dict(variables),
        is_awaitable=cast("Any", optimized_is_awaitable),
        operation_extensions={},
        hide_suggestions=True,
    )
    if isinstance(executor, list):
        return outcome(ExecutionResult(None, executor))
    result: Any = execute_subscription_event(executor.build_per_event_executor(event))
    return outcome(await result if optimized_is_awaitable(result) else result)


async def event_compiled(plan: Plan, variables: Mapping[str, Any], event: object) -> Outcome:
    executor = plan.executor(variables, None)
    if isinstance(executor, list):
        return outcome(ExecutionResult(None, executor))
    result: Any = execute_subscription_event(executor.build_per_event_executor(event))
    return outcome(await result if optimized_is_awaitable(result) else result)


async def compiled(plan: Plan, variables: Mapping[str, Any], context: object = None) -> Outcome:
    executor = plan.executor(variables, context)
    if isinstance(executor, list):
        return outcome(ExecutionResult(None, executor))
    result: Any = executor.execute_operation()
    return outcome(await result if optimized_is_awaitable(result) else result)


def plan_of(schema: GraphQLSchema, document: DocumentNode) -> Plan:
    return Plan(schema, document, operation_of(document), is_eager=True)


def outcome(result: ExecutionResult) -> Outcome:
    """Data with the order of its keys and the classes of its values; errors in order, without addresses of objects."""
    errors = [
        (
            _without_addresses(error.message),
            error.path,
            [(each.line, each.column) for each in error.locations or ()],
            type(error.original_error).__name__,
        )
        for error in result.errors or ()
    ]
    return _without_addresses(repr(result.data)), errors


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)
