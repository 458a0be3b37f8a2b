"""graphql-core's executor, with generated functions in the place of the completion of pure objects and lists."""

from collections.abc import Awaitable
from typing import Any, cast

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    OperationType,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import CollectedErrors
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from graphql.type import GraphQLResolveInfoHelpers
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.core.compiled.selections import Selections
from graph.core.compiled.source import Completing

_UNDECIDED: Any = object()


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """One execution. A generated function that raises leaves its value to graphql-core, which finds the same again."""

    def __init__(self, *arguments: Any, selections: Selections, **options: Any) -> None:
        self._selections = selections
        super().__init__(*arguments, **options)

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """Made when a resolver is called: kept on the executor, it would refer to it, and only the collector would free both."""
        return GraphQLResolveInfoHelpers(gather=self.gather_async_work, track=self.track_async_work)

    @async_helpers.setter
    def async_helpers(self, _made: GraphQLResolveInfoHelpers) -> None:
        """Called by graphql-core's constructor."""

    def for_request(self, values: VariableValues, context: object) -> "CompiledExecutor":
        """A copy with a state of its own, as graphql-core makes one for each event: cheaper than the constructor."""
        made = object.__new__(CompiledExecutor)
        made.__dict__.update(self.__dict__)
        made.variable_values = values
        made.context_value = context
        made.collected_errors = CollectedErrors()
        made.pending_incremental_futures = set()
        made.background_futures = set()
        made.groups, made.tasks, made.streams = [], [], []
        made.operation_extensions = {}
        return made

    def execute_operation(self, serially: bool | None = None) -> Any:
        """As graphql-core, but for the fields of the root, which are collected already."""
        if serially is None:
            serially = self.operation.operation is OperationType.MUTATION
        root = self._selections.root.grouped_field_set
        try:
            data: Any = self.execute_root_grouped_field_set(
                self._selections.root_type, self.root_value, root, serially, None
            )
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return ExecutionResult(None, self.collected_errors.errors)
        if self.is_awaitable(data):
            return self._awaited(data)
        return ExecutionResult(cast("dict[str, Any]", data), self.collected_errors.errors or None)

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList
    ) -> CollectedFields:
        return self._selections.below(return_type, field_details_list)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        partly = self._selections.partly(parent_type, grouped_field_set)
        shown: Any = _UNDECIDED if partly is None else _tried(partly.read, source_value)
        if partly is None or shown is _UNDECIDED:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        done: Any = super().execute_fields(parent_type, source_value, path, partly.rest, position_context)
        if self.is_awaitable(done):
            return _filled(shown, done)
        shown.update(done)
        return shown

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        complete = self._selections.completing(return_type, field_details_list)
        if complete is not None and (completed := _tried(complete, result)) is not _UNDECIDED:
            return completed
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        complete = self._selections.completing(return_type, field_details_list)
        if complete is not None and (completed := _tried(complete, result)) is not _UNDECIDED:
            return completed
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    async def _awaited(self, data: Awaitable[dict[str, Any]]) -> ExecutionResult:
        try:
            done = await data
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return ExecutionResult(None, self.collected_errors.errors)
        return ExecutionResult(done, self.collected_errors.errors or None)


def _tried(function: Completing, value: Any) -> Any:
    """What the generated function gives; _UNDECIDED when it raises, for graphql-core finds and words the same in its place."""
    try:
        return function(value)
    except Exception:  # noqa: BLE001 - nothing is lost: the same value is completed again
        return _UNDECIDED


async def _filled(shown: dict[str, Any], rest: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    shown.update(await rest)
    return shown
