"""The one static set of validation rules: the specification's, plus ours. Static, so that nothing is made per request."""

from typing import Any

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    GraphQLError,
    StringValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
    specified_rules,
)
from graphql.validation import recommended_rules
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graph.core.scalars import is_fit_text


class FitTextRule(ASTValidationRule):
    """Text in a document may hold neither NUL nor a lone surrogate: PostgreSQL stores neither."""

    def enter_string_value(self, node: StringValueNode, *_args: Any) -> None:
        if not is_fit_text(node.value):
            self.report_error(GraphQLError("Text cannot hold the character NUL or a lone surrogate.", node))


class NamedValuesRule(ValuesOfCorrectTypeRule):
    """Values fit their types; the message names the argument or variable, which the specification's rule does not."""

    _place = ""

    def enter_argument(self, node: ArgumentNode, *_args: Any) -> None:
        self._place = f"Argument '{node.name.value}'"

    def enter_variable_definition(self, node: VariableDefinitionNode, *_args: Any) -> None:
        self._place = f"Variable '${node.variable.name.value}'"

    def report_error(self, error: GraphQLError) -> None:
        error.message = f"{self._place} has invalid value: {error.message}"
        super().report_error(error)


_SPECIFIED = tuple(NamedValuesRule if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules)
RULES: tuple[type[ASTValidationRule], ...] = tuple(
    dict.fromkeys((*_SPECIFIED, *recommended_rules, MaybeNullValidationRule, OneOfInputValidationRule, FitTextRule))
)
