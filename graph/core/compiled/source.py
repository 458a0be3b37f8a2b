"""Writes Python for a selection: a function that takes a value and gives its completed object or list, or raises.

The functions decide nothing and word no error. Whatever they raise means that graphql-core completes the same value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.type import TypeNameMetaFieldDef
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE

from graph.core.compiled.leaves import Slow, leaf
from graph.core.compiled.purity import attribute, classes

Completing = Callable[[Any], Any]
_MOST_CHARACTERS = 200_000
_FEWEST_READ = 3  # attributes of an object; below, a function of its own saves nothing


class Impure(Exception):
    """The selection has more in it than plain attributes."""


class Selected(Protocol):
    """What is written for."""

    schema: GraphQLSchema

    def below(self, kind: GraphQLObjectType, nodes: FieldDetailsList) -> CollectedFields: ...


@dataclass(frozen=True, slots=True)
class PartlyRead:
    """`read` gives an object's keys in order, with None for the `rest`: the fields that graphql-core executes."""

    read: Completing
    rest: GroupedFieldSet


def write_value(
    selected: Selected, kind: GraphQLObjectType | GraphQLList[GraphQLOutputType], nodes: FieldDetailsList
) -> Completing:
    """The function for an object or list that is not null. Raises Impure."""
    writing = _Writing(selected)
    return writing.finished(writing.completed(kind, nodes))


def write_fields(selected: Selected, kind: GraphQLObjectType, fields: GroupedFieldSet) -> PartlyRead | None:
    """The function for an object of whose fields only some are pure; None when all or too few are, or its class is not known."""
    writing = _Writing(selected)
    items: list[str] = []
    rest: GroupedFieldSet = {}
    for key, nodes in fields.items():
        try:
            items.append(f"{key!r}: {writing.field(kind, nodes)}")
        except Impure:
            rest[key] = nodes
            items.append(f"{key!r}: None")
    if not rest or len(items) - len(rest) < _FEWEST_READ:
        return None
    try:
        return PartlyRead(writing.finished(writing.function(kind, items)), rest)
    except Impure:
        return None


class _Writing:
    """One module of generated functions; the last of them is called from outside."""

    def __init__(self, selected: Selected) -> None:
        self._selected = selected
        self._names: dict[str, object] = {"Slow": Slow}
        self._functions: list[str] = []
        self._count = 0

    def finished(self, name: str) -> Completing:
        """Raises Impure when it is too much to compile."""
        text = "\n".join(self._functions)
        if len(text) > _MOST_CHARACTERS:
            raise Impure
        try:
            exec(compile(text, "<selection>", "exec"), self._names)  # noqa: S102 - names of the schema, no text of a client's
        except (RecursionError, MemoryError, SyntaxError):
            raise Impure from None
        made: Completing = self._names[name]  # type: ignore[assignment]
        return made

    def completed(self, kind: GraphQLOutputType, nodes: FieldDetailsList) -> str:
        """Writes a function for objects or lists; gives its name. Raises Impure for any other type."""
        if is_list_type(kind):
            return self.list_of(kind.of_type, nodes)
        if is_object_type(kind):
            return self.object_of(kind, nodes)
        raise Impure

    def object_of(self, kind: GraphQLObjectType, nodes: FieldDetailsList) -> str:
        fields = self._selected.below(kind, nodes).grouped_field_set
        return self.function(kind, [f"{key!r}: {self.field(kind, each)}" for key, each in fields.items()])

    def function(self, kind: GraphQLObjectType, items: list[str]) -> str:
        known = classes(kind)
        if not known:
            raise Impure
        checks = " and ".join(f"kind is not {self._named('Class', each)}" for each in known)
        if kind.is_type_of is not None:  # Strawberry's own: the class, unless the object was cast to another
            checks += f" or {TYPE_CAST_ATTRIBUTE!r} in v.__dict__"
        name = self._new("object")
        self._functions.append(
            f"def {name}(v):\n kind = type(v)\n if {checks}: raise Slow\n return {{{', '.join(items)}}}\n"
        )
        return name

    def list_of(self, kind: GraphQLOutputType, nodes: FieldDetailsList) -> str:
        item = self._value(kind, nodes, "i", "i")
        name = self._new("list")
        self._functions.append(
            f"def {name}(v):\n if type(v) is not list and type(v) is not tuple: raise Slow\n"
            f" return [{item} for i in v]\n"
        )
        return name

    def field(self, parent: GraphQLObjectType, nodes: FieldDetailsList) -> str:
        """The expression of a completed field of the object `v`. Raises Impure."""
        field: GraphQLField | None = self._selected.schema.get_field(parent, nodes[0].node.name.value)
        if field is TypeNameMetaFieldDef:
            return repr(parent.name)
        name = None if field is None else attribute(field)
        if field is None or name is None:
            raise Impure
        x = self._new("x")
        return self._value(field.type, nodes, f"({x} := v.{name})", x)

    def _value(self, kind: GraphQLOutputType, nodes: FieldDetailsList, first: str, x: str) -> str:
        """The expression of a completed value: `first` gives it and is evaluated first, `x` names it from then on."""
        if is_non_null_type(kind):
            return self._present(kind.of_type, nodes, first, x)
        return f"(None if {first} is None else {self._present(kind, nodes, x, x)})"

    def _present(self, kind: GraphQLOutputType, nodes: FieldDetailsList, first: str, x: str) -> str:
        if is_leaf_type(kind):
            return leaf(kind, first, x, self._named)
        return f"{self.completed(kind, nodes)}({first})"

    def _named(self, start: str, value: object) -> str:
        name = self._new(start)
        self._names[name] = value
        return name

    def _new(self, start: str) -> str:
        self._count += 1
        return f"{start}{self._count}"
