"""Subscriptions that show nothing but their events' own values: what was completed for one subscriber serves all others.

A thousand tabs of one tenant that ask the same get the same event at the same time. Its data depends on the document and on
the value alone, so it is completed and written as JSON once. Who may see the event was decided before, for each of them.
"""

from collections import deque
from typing import Any

import orjson
from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)
from graphql.type import TypeNameMetaFieldDef

from graph.core.compiled.purity import attribute

_MOST_KEPT = 16


class RecentAnswers:
    """The last answers of one operation, each with the value that it shows."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: deque[tuple[Any, orjson.Fragment]] = deque(maxlen=_MOST_KEPT)

    def find(self, value: object) -> orjson.Fragment | None:
        """The JSON of an equal value of the same type; None when there is none among the last few."""
        for kept, data in self._kept:
            if type(kept) is type(value) and kept == value:
                return data
        return None

    def keep(self, value: object, data: dict[str, Any]) -> orjson.Fragment:
        written = orjson.Fragment(orjson.dumps(data))
        self._kept.appendleft((value, written))
        return written


def recent_answers(
    schema: GraphQLSchema, document: DocumentNode, definition: OperationDefinitionNode
) -> RecentAnswers | None:
    """A place for the operation's answers, when its value decides them: a subscription without directives, whose fields
    below the root are all read from the value, by no resolver. None for any other operation."""
    root = schema.subscription_type
    if root is None or definition.operation.value != "subscription":
        return None
    info = TypeInfo(schema)
    seen = _OnlyValues(info, root.name)
    visit(document, TypeInfoVisitor(info, seen))
    return RecentAnswers() if seen.holds else None


class _OnlyValues(Visitor):
    """Reads a valid document. `holds` stays true while every field below `root` is an attribute and nothing has a directive."""

    def __init__(self, info: TypeInfo, root: str) -> None:
        super().__init__()
        self.holds = True
        self._info = info
        self._root = root

    def enter_directive(self, _node: DirectiveNode, *_place: Any) -> None:
        self.holds = False

    def enter_field(self, _node: FieldNode, *_place: Any) -> None:
        parent, field = self._info.get_parent_type(), self._info.get_field_def()
        if parent is None or field is None:
            self.holds = False
        elif parent.name != self._root and field is not TypeNameMetaFieldDef:
            self.holds = self.holds and attribute(field) is not None
