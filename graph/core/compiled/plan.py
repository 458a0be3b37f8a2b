"""The plan of an operation: all that is the same for every request, made once and kept with the operation."""

from collections.abc import Mapping
from typing import Any, TypeVar

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLSchema,
    GraphQLSkipDirective,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution import Executor
from graphql.execution.executor import default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.core.compiled.executor import CompiledExecutor
from graph.core.compiled.selections import Selections, fragments_of
from graph.core.compiled.variables import Variables

Made = TypeVar("Made", bound=StrawberryGraphQLCoreExecutionContext)
_MOST_CHOICES = 16
_KNOWN_DIRECTIVES = {GraphQLSkipDirective.name, GraphQLIncludeDirective.name}


class Plan:
    """Gives each request its executor. Nothing is compiled before the operation comes a second time: many never do."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        *,
        is_compiled: bool = True,
        is_eager: bool = False,
    ) -> None:
        definitions = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
        self._schema = schema
        self._operation = operation
        self._definitions = {each.name.value: each for each in definitions}
        self._fragments = fragments_of(self._definitions)
        self._variables = Variables(schema, operation)
        conditions = _Conditions()
        visit(document, conditions)
        declared = {each.variable.name.value for each in operation.variable_definitions or ()}
        self._conditions = tuple(sorted(conditions.names & declared))  # fragments of other operations may have theirs
        self._is_compiled = is_compiled and conditions.are_all
        self._is_hot = is_eager
        self._choices: dict[tuple[bool, ...], CompiledExecutor] = {}

    def executor(self, given: Mapping[str, Any], context: object) -> Executor[Any] | list[GraphQLError]:
        """For one request with these variables; errors when they do not fit."""
        values = self._variables.coerced(given)
        if isinstance(values, list):
            return values
        compiled = self._compiled(values) if self._is_compiled else None
        if compiled is not None:
            return compiled.for_request(values, context)
        return self._made(StrawberryGraphQLCoreExecutionContext, values, context)

    def _made(self, kind: type[Made], values: VariableValues, context: object, **options: Any) -> Made:
        return kind(
            self._schema,
            self._definitions,
            self._fragments,
            None,
            context,
            self._operation,
            values,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=True,
            operation_extensions={},
            **options,
        )

    def _compiled(self, values: VariableValues) -> CompiledExecutor | None:
        """What the executors of this choice are copied from; None when the operation is to be left to graphql-core this time."""
        if not self._is_hot:
            self._is_hot = True
            return None
        choice = tuple(value for name in self._conditions if type(value := values.coerced.get(name)) is bool)
        if len(choice) < len(self._conditions):
            return None
        kept = self._choices.get(choice)
        if kept is None and len(self._choices) < _MOST_CHOICES:
            names = self._conditions
            of_choice = VariableValues(
                {name: values.sources[name] for name in names}, {name: values.coerced[name] for name in names}
            )
            selections = Selections(self._schema, self._operation, self._fragments, of_choice)
            kept = self._choices[choice] = self._made(CompiledExecutor, of_choice, None, selections=selections)
        return kept


class _Conditions(Visitor):
    """The variables that decide what is selected. `are_all`: no other directive has a say."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.are_all = True

    def enter_directive(self, node: DirectiveNode, *_place: Any) -> None:
        self.are_all = self.are_all and node.name.value in _KNOWN_DIRECTIVES
        self.names.update(
            each.value.name.value for each in node.arguments or () if isinstance(each.value, VariableNode)
        )
