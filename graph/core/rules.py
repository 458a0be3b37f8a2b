"""The one static set of validation rules: the specification's, plus ours. Static, so that nothing is made per request."""

from typing import Any

from graphql import ASTValidationRule, GraphQLError, StringValueNode, specified_rules
from graphql.validation import recommended_rules
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graph.core.scalars import is_fit_text


class FitTextRule(ASTValidationRule):
    """Text in a document may hold neither NUL nor a lone surrogate: PostgreSQL stores neither."""

    def enter_string_value(self, node: StringValueNode, *_args: Any) -> None:
        if not is_fit_text(node.value):
            self.report_error(GraphQLError("Text cannot hold the character NUL or a lone surrogate.", node))


RULES: tuple[type[ASTValidationRule], ...] = tuple(
    dict.fromkeys(
        (*specified_rules, *recommended_rules, MaybeNullValidationRule, OneOfInputValidationRule, FitTextRule)
    )
)
