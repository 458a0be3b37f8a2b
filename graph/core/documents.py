"""Documents, prepared once: parsed, measured, validated, and kept in a bounded cache that hits."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    validate,
)

from graph.core.compiled.plan import Plan
from graph.core.errors import TooComplex
from graph.core.limits import Limits, Measure
from graph.core.price import Price, evaluate
from graph.core.rules import RULES
from graph.core.sharing import RecentAnswers, recent_answers

LEAST_COST = 1  # `{ __typename }` too is read, answered and sent
_MOST_KEPT = 512
_LONGEST_KEPT = 32_768
_MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that may run: its document is valid and within the limits. Shared by all requests that name it."""

    document: DocumentNode
    name: str | None
    kind: OperationType
    price: Price
    plan: Plan
    defaults: Mapping[str, Any]
    is_sign_in: bool
    is_bare: bool
    recent: RecentAnswers | None = None
    is_open: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_open", self.is_sign_in or self.is_bare)

    def cost(self, variables: Mapping[str, Any]) -> int:
        """Points with these variables, one at least; a number above every limit when there are too many to count."""
        if isinstance(self.price, int):
            return max(LEAST_COST, self.price)
        return max(LEAST_COST, evaluate(self.price, {**self.defaults, **variables}))


class Refused(Exception):
    """The document cannot run; `errors` say why."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = list(errors)


class Closed(Exception):
    """The operation is not one that a caller without a token may run. Says nothing about the document."""


class Documents:
    """Text and operation name -> Operation. Only valid ones are kept, the longest unused of them leave first."""

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        sign_in: frozenset[str],
        limits: Limits | None = None,
        is_compiled: bool = True,
    ) -> None:
        """`is_compiled` false: every operation is left to graphql-core whole."""
        self.limits = limits or Limits()
        self.hits = 0
        self.misses = 0
        self._schema = schema
        self._sign_in = sign_in
        self._is_compiled = is_compiled
        self._kept: OrderedDict[tuple[str, str | None], Operation] = OrderedDict()

    def knows(self, text: str, name: str | None) -> bool:
        """Whether the operation is kept: then nothing is read for it."""
        return (text, name) in self._kept

    def knows_sign_in(self, text: str, name: str | None) -> bool:
        """Whether it is kept and signs in."""
        kept = self._kept.get((text, name))
        return kept is not None and kept.is_sign_in

    def operation(self, text: str, name: str | None, *, signed_in: bool) -> Operation:
        """The operation to run. Raises Refused, or Closed when `signed_in` is false and the operation is not open."""
        kept = self._kept.get((text, name))
        if kept is None:
            self.misses += 1
            kept = self._prepare(text, name, signed_in=signed_in)
            self._keep((text, name), kept)
        else:
            self.hits += 1
            self._kept.move_to_end((text, name))
        if not signed_in and not kept.is_open:
            raise Closed
        return kept

    def _prepare(self, text: str, name: str | None, *, signed_in: bool) -> Operation:
        try:
            document = _parsed(text, self.limits)
        except GraphQLError as error:
            if not signed_in:
                raise Closed from None
            raise Refused(error) from None
        bare, sign_in = self._openness(document)
        if not signed_in and not (bare or sign_in):
            raise Closed
        definition = _selected(document, name)
        try:
            measure = Measure(self._schema, document, self.limits)
            measure.fragments()
            size = measure.operation(definition)
        except TooComplex as error:
            raise Refused(error) from None
        errors = validate(self._schema, document, RULES, max_errors=_MOST_ERRORS, hide_suggestions=True)
        if errors:
            raise Refused(*errors)
        return Operation(
            document=document,
            name=definition.name.value if definition.name else None,
            kind=definition.operation,
            price=size.price,
            plan=Plan(self._schema, document, definition, is_compiled=self._is_compiled),
            defaults=_defaults(definition),
            is_sign_in=sign_in,
            is_bare=bare,
            recent=recent_answers(self._schema, document, definition),
        )

    def _keep(self, key: tuple[str, str | None], operation: Operation) -> None:
        if len(key[0]) > _LONGEST_KEPT:
            return
        self._kept[key] = operation
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def _openness(self, document: DocumentNode) -> tuple[bool, bool]:
        """Whether every operation selects `__typename` alone, and whether every one consists of sign-in mutations."""
        bare = sign_in = True
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        for definition in document.definitions:
            if not isinstance(definition, OperationDefinitionNode):
                continue
            names = set(_root_fields(definition.selection_set, fragments, set()))
            bare = bare and names <= {"__typename"} and definition.operation is not OperationType.SUBSCRIPTION
            is_mutation = definition.operation is OperationType.MUTATION
            sign_in = sign_in and is_mutation and names <= self._sign_in | {"__typename"} and names != {"__typename"}
        return bare, sign_in


def _parsed(text: str, limits: Limits) -> DocumentNode:
    if len(text) > limits.characters:
        raise TooComplex(
            f"This document has more than {limits.characters} characters, which is the limit: send long values as variables."
        )
    try:
        return parse(text, max_tokens=limits.tokens)
    except GraphQLError as error:
        if "nested too deeply" in error.message:
            raise TooComplex("This document nests too deeply to be read.") from None
        if "tokens" in error.message and str(limits.tokens) in error.message:
            raise TooComplex(f"This document has more than {limits.tokens} tokens, which is the limit.") from None
        raise


def _selected(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation to run. Raises Refused when the name chooses none, or none is named among several."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name is not None:
        for each in operations:
            if each.name is not None and each.name.value == name:
                return each
        raise Refused(GraphQLError(f"The document has no operation named {name[:80]!r}."))
    if len(operations) == 1:
        return operations[0]
    if operations:
        raise Refused(GraphQLError("The document has several operations: say which one with `operationName`."))
    raise Refused(GraphQLError("The document has no operation."))


def _root_fields(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], seen: set[str]
) -> Iterator[str]:
    waiting = [selections]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                yield node.name.value
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                if node.name.value in fragments:
                    waiting.append(fragments[node.name.value].selection_set)


def _defaults(definition: OperationDefinitionNode) -> dict[str, Any]:
    """Default values of variables, as far as a cost can depend on them: numbers, and lists by their length."""
    defaults: dict[str, Any] = {}
    for each in definition.variable_definitions or ():
        value = each.default_value
        if isinstance(value, IntValueNode):
            defaults[each.variable.name.value] = int(value.value[:12])
        elif isinstance(value, ListValueNode):
            defaults[each.variable.name.value] = list(value.values)
    return defaults
