"""The size of an operation, found before validation by one walk that visits every node of the document once.

Fragments are measured once and remembered, so that the time is linear in the text however often they are spread:
sixty fragments that each spread the next one twice are two hundred nodes here, and 2^60 fields for a naive walk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

from graph.core.connections import points_of
from graph.core.errors import TooComplex
from graph.core.price import MOST_PAGE, Price, Product, Sum, VariableCount, number

INTROSPECTION_COST = 100
_BACKREF = "strawberry-definition"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one operation may be at most. `fields`, `aliases` and `directives` count a spread fragment at every spread."""

    characters: int = 65_536  # comments and long texts make no tokens, and take as long to read
    tokens: int = 4_000
    definitions: int = 100
    depth: int = 16
    fields: int = 500
    aliases: int = 60
    directives: int = 60
    cost: int = 12_000


@dataclass(frozen=True, slots=True)
class Size:
    """The measures of a selection. None is ever over its limit: measuring stops there."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    price: Price = 0


_NOTHING = Size()
_MOST_LEVELS = 100
_LONGEST_NUMBER = 12


class Measure:
    """Measures the operations of one document against a schema, and raises TooComplex as soon as a limit is passed.

    Unknown fields count as leaves and spreads in a circle as nothing: validation names both.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._fragments: dict[str, FragmentDefinitionNode] = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}
        self._open: set[str] = set()
        self._level = 0

    def operation(self, operation: OperationDefinitionNode) -> Size:
        size = self._selections(operation.selection_set, self._schema.get_root_type(operation.operation))
        return self._checked(size, _directives(operation))

    def fragments(self) -> None:
        """Measures also the fragments that nothing spreads: validation walks them all."""
        if len(self._fragments) > self._limits.definitions:
            raise _too_much("fragments", self._limits.definitions)
        for name in self._fragments:
            self._fragment(name)

    def _selections(self, selections: SelectionSetNode | None, parent: Any) -> Size:
        self._level += 1
        if self._level > _MOST_LEVELS:
            raise _too_much("levels of nesting", self._limits.depth)
        size = _NOTHING
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                size = self._checked(size, self._field(node, parent))
            elif isinstance(node, InlineFragmentNode):
                inner = self._selections(node.selection_set, self._condition(node, parent))
                size = self._checked(size, self._checked(inner, _directives(node)))
            elif isinstance(node, FragmentSpreadNode):
                size = self._checked(size, self._checked(self._fragment(node.name.value), _directives(node)))
        self._level -= 1
        return size

    def _field(self, node: FieldNode, parent: Any) -> Size:
        field = self._defined(node.name.value, parent)
        inner = self._selections(node.selection_set, get_named_type(field.type) if field is not None else None)
        return Size(
            depth=inner.depth + 1,
            fields=inner.fields + 1,
            aliases=inner.aliases + (node.alias is not None),
            directives=inner.directives + len(node.directives or ()),
            price=_price(node, field, inner.price),
        )

    def _fragment(self, name: str) -> Size:
        if name in self._known:
            return self._known[name]
        definition = self._fragments.get(name)
        if definition is None or name in self._open:
            return _NOTHING
        self._open.add(name)
        kind = self._schema.type_map.get(definition.type_condition.name.value)
        size = self._selections(definition.selection_set, kind)
        self._known[name] = size = self._checked(size, _directives(definition))
        self._open.discard(name)
        return size

    def _checked(self, one: Size, other: Size) -> Size:
        """Both together. Raises TooComplex, which says what there is too much of."""
        limits = self._limits
        size = Size(
            depth=max(one.depth, other.depth),
            fields=one.fields + other.fields,
            aliases=one.aliases + other.aliases,
            directives=one.directives + other.directives,
            price=Sum.of(one.price, other.price),
        )
        if size.depth > limits.depth:
            raise _too_much("levels of nesting", limits.depth)
        if size.fields > limits.fields:
            raise _too_much("fields", limits.fields)
        if size.aliases > limits.aliases:
            raise _too_much("aliases", limits.aliases)
        if size.directives > limits.directives:
            raise _too_much("directives", limits.directives)
        return size

    def _condition(self, node: InlineFragmentNode, parent: Any) -> Any:
        return parent if node.type_condition is None else self._schema.type_map.get(node.type_condition.name.value)

    def _defined(self, name: str, parent: Any) -> GraphQLField | None:
        if name == "__schema":
            return SchemaMetaFieldDef
        if name == "__type":
            return TypeMetaFieldDef
        if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            fields: Mapping[str, GraphQLField] = parent.fields
            return fields.get(name)
        return None


def check_cost(cost: int, limits: Limits) -> None:
    """Raises TooComplex when an operation costs more points than any may."""
    if cost > limits.cost:
        raise TooComplex(
            f"This operation costs {cost} points, and {limits.cost} is the limit: ask for fewer items or less nesting."
        )


def _too_much(what: str, most: int) -> TooComplex:
    return TooComplex(f"This operation has more than {most} {what}, which is the limit: ask for less at once.")


def _directives(
    node: OperationDefinitionNode | FragmentDefinitionNode | FragmentSpreadNode | InlineFragmentNode,
) -> Size:
    return Size(directives=len(node.directives or ()))


def _price(node: FieldNode, field: GraphQLField | None, inner: Price) -> Price:
    """A leaf is free, an object one point; a list multiplies what its items cost.

    A connection multiplies through its `first`, and `nodes` by the number of its ids. The two objects between a
    connection and its nodes, the edge and the page info, are free. Fields declared with `points` cost those.
    """
    if field is None or is_leaf_type(get_named_type(field.type)):
        return 0
    if field is SchemaMetaFieldDef or field is TypeMetaFieldDef:
        return INTROSPECTION_COST
    name = get_named_type(field.type).name
    if name == "PageInfo" or name.endswith("Edge"):
        return inner
    if "first" in field.args:
        return Sum.of(1, Product.of(_first(node, field), inner))
    if "ids" in field.args:
        return Product.of(_length(node), Sum.of(1, inner))
    return Sum.of(points_of(field.extensions.get(_BACKREF)) or 1, inner)


def _first(node: FieldNode, field: GraphQLField) -> Price:
    given = _argument(node, "first")
    default = number(field.args["first"].default_value, MOST_PAGE)
    return default if given is None else _count(given, default)


def _length(node: FieldNode) -> Price:
    given = _argument(node, "ids")
    return len(given.values) if isinstance(given, ListValueNode) else _count(given, 1)


def _count(given: ValueNode | None, default: int) -> Price:
    if isinstance(given, IntValueNode):
        return number(int(given.value[:_LONGEST_NUMBER]), MOST_PAGE)
    if isinstance(given, VariableNode):
        return VariableCount(given.name.value, default)
    return default


def _argument(node: FieldNode, name: str) -> ValueNode | None:
    return next((each.value for each in node.arguments or () if each.name.value == name), None)
