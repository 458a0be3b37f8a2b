"""Walks the public schema: every operation as a document with fitting arguments, and every place that takes an id.

What is new in the schema is walked by itself. What cannot be filled by its type alone fails a test, with what to add here.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from graph.schema import schema
from tests.house.world import PASSWORD, World

SCHEMA = schema._schema
DEPTH = 5
Path = tuple[str, ...]
"""Where an argument stands: ("input", "variants", "*", "templateId"); `*` is the one item of a list."""

# Ids whose name does not say the type: `<field or input>.<name>`, or the name alone.
ID_TYPES = {
    "listId": "ContactList",
    "importId": "ContactImport",
    "campaignEvents.id": "Campaign",
    "node.id": "Node",
    "nodes.ids": "Node",
}
# The state that an operation wants its object in; elsewhere the first of the world's is taken.
STATES = {
    "pauseCampaign": "running",
    "resumeCampaign": "paused",
    "cancelCampaign": "running",
    "archiveCampaign": "completed",
    "enrollments": "running",
    "messages": "running",
    "campaignEvents": "running",
    "resumeMailbox": "paused",
    "pauseMailbox": "verified",
    "retryDeadJob": "dead",
    "resolveInDoubtMessage": "in_doubt",
    "activateDkimKey": "pending",
    "cancelContactImport": "queued",
    "previewContactImport": "complete",
    "importContacts": "complete",
    "deleteContactList": "spare",
    "removeWorkspaceRole": "member",
}
# Optional arguments that contradict others of the same operation.
LEFT_OUT = {"SuppressContactInput": {"email"}, "PreviewTemplateInput": {"subject", "textBody", "htmlBody"}}
# Values that a type alone does not give, by `<operation>.<name>` or name. `{n}` is another number at each use.
TEXTS = {
    "email": "someone-{n}@people.example",
    "signIn.email": "{owner_email}",
    "search": "{marker}",
    "address": "box-{n}@boxes.example",
    "password": PASSWORD,
    "currentPassword": PASSWORD,
    "newPassword": "lemon harbour {n} clay",
    "smtpHost": "smtp.boxes.example",
    "domain": "keys-{n}.example",
    "slug": "slug-{n}",
    "timeZone": "Europe/Berlin",
    "encoding": "utf-8",
    "column": "email",
    "field": "email",
    "subject": "Hello {{{{ first_name }}}}",
    "postalAddress": "Example Ltd\n1 Road",
    "fileName": "people-{n}.csv",
}
NUMBERS = {"smtpPort": 587, "weight": 3, "dailyCap": 50, "defaultDailyCap": 50, "minimumGapSeconds": 0, "first": 5}
CHOICES = {"role": "MEMBER", "WorkspaceRoleInput.role": "VIEWER", "setWorkspaceRole.role": "VIEWER"}
SCALARS: dict[str, Any] = {
    "Boolean": False,
    "Float": 1.0,
    "JSONObject": {"city": "Town"},
    "DateTime": "2026-11-24T09:00:00Z",
}
DAYS_AGO = {"fromOn": 30, "toOn": 0}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Operation:
    """One root field, or a field below a node that takes ids itself (`parent` is the node's type)."""

    kind: str
    name: str
    field: GraphQLField = field(compare=False)
    parent: str | None = None

    def __str__(self) -> str:
        return f"{self.parent}.{self.name}" if self.parent else self.name


@dataclass(frozen=True)
class IdPlace:
    """An argument, or a field of an input, of type ID."""

    operation: Operation
    path: Path
    type_name: str

    def __str__(self) -> str:
        return f"{self.operation}({'.'.join(self.path)})"


def operations(*kinds: str) -> list[Operation]:
    """Of `query`, `mutation`, `subscription`; all without an argument. Fields of nodes that take ids count as queries."""
    roots = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type, "subscription": SCHEMA.subscription_type}
    found = [
        Operation(kind, name, field)
        for kind, root in roots.items()
        if root is not None and kind in (kinds or roots)
        for name, field in root.fields.items()
    ]
    return found + (list(_nested_operations()) if "query" in (kinds or roots) else [])


def _nested_operations() -> Iterator[Operation]:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    for kind in SCHEMA.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind in roots or kind.name.startswith("__"):
            continue
        for name, defined in kind.fields.items():
            if any(get_named_type(argument.type).name == "ID" for argument in defined.args.values()):
                assert any(each.name == "Node" for each in kind.interfaces), (
                    f"{kind.name}.{name} takes an id and {kind.name} is no Node: teach schema_walk.document() to reach it"
                )
                yield Operation("query", name, defined, parent=kind.name)


def id_places(operation: Operation) -> list[IdPlace]:
    found: list[IdPlace] = []
    for name, argument in operation.field.args.items():
        found += [
            IdPlace(operation, path, _id_type(operation, path, owner))
            for path, owner in _ids_in(argument.type, (name,), operation.name)
        ]
    return found


def _ids_in(kind: Any, path: Path, owner: str) -> Iterator[tuple[Path, str]]:
    kind = get_nullable_type(kind)
    if isinstance(kind, GraphQLList):
        yield from _ids_in(kind.of_type, (*path, "*"), owner)
    elif isinstance(kind, GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield from _ids_in(field.type, (*path, name), kind.name)
    elif kind.name == "ID":
        yield path, owner


def _id_type(operation: Operation, path: Path, owner: str) -> str:
    name = next(part for part in reversed(path) if part != "*")
    bare = name.removesuffix("s").removesuffix("Id") if name not in ("id", "ids") else ""
    returned = get_named_type(operation.field.type)
    guesses = [
        ID_TYPES.get(f"{owner}.{name}"),
        ID_TYPES.get(name),
        bare[:1].upper() + bare[1:],
        returned.name if name == "id" else None,
    ]
    for guess in guesses:
        if guess == "Node" or (guess and _is_node(guess)):
            return guess
    raise AssertionError(
        f"{operation}({'.'.join(path)}) takes an id and its name does not say of which type: "
        f'add "{owner}.{name}": "<Type>" to ID_TYPES in tests/house/schema_walk.py'
    )


def _is_node(name: str) -> bool:
    kind = SCHEMA.type_map.get(name)
    return isinstance(kind, GraphQLObjectType) and any(each.name == "Node" for each in kind.interfaces)


def node_types() -> list[str]:
    return sorted(name for name in SCHEMA.type_map if _is_node(name))


@dataclass(frozen=True)
class Filling:
    """What arguments are filled with: ids of a world, but for the `given` ones. `full` fills optional ones too."""

    world: World
    operation: Operation
    given: Mapping[Path, Any]
    full: bool = True

    def variables(self) -> dict[str, Any]:
        return {
            name: self._value(argument.type, (name,), self.operation.name)
            for name, argument in self.operation.field.args.items()
            if self._wants(argument, (name,))
        }

    def _wants(self, argument: GraphQLArgument | GraphQLInputField, path: Path) -> bool:
        if any(given[: len(path)] == path for given in self.given):
            return True
        if isinstance(argument, GraphQLArgument):
            return is_required_argument(argument) or (self.full and path[-1] not in ("after", "first"))
        return is_required_input_field(argument) or (self.full and path[-1] != "idempotencyKey")

    def _value(self, kind: Any, path: Path, owner: str) -> Any:
        if path in self.given:
            return self.given[path]
        kind = get_nullable_type(kind)
        if isinstance(kind, GraphQLList):
            return [self._value(kind.of_type, (*path, "*"), owner)]
        if isinstance(kind, GraphQLInputObjectType):
            out = LEFT_OUT.get(kind.name, set())
            return {
                name: self._value(field.type, (*path, name), kind.name)
                for name, field in kind.fields.items()
                if self._wants(field, (*path, name)) and (name not in out or (*path, name) in self.given)
            }
        return self._leaf(kind, path, owner)

    def _leaf(self, kind: Any, path: Path, owner: str) -> Any:
        name = next(part for part in reversed(path) if part != "*")
        if kind.name == "ID":
            type_name = _id_type(self.operation, path, owner)
            return self.fitting_id("Workspace" if type_name == "Node" else type_name)
        if isinstance(kind, GraphQLEnumType):
            wanted = CHOICES.get(f"{self.operation.name}.{name}") or CHOICES.get(f"{owner}.{name}") or CHOICES.get(name)
            return wanted if wanted in kind.values else next(iter(kind.values))
        if kind.name == "String":
            text = TEXTS.get(f"{self.operation.name}.{name}") or TEXTS.get(name, f"{name} {{n}}")
            return text.format(n=next(_numbers), marker=self.world.marker, owner_email=self.world.owner_email)
        if kind.name == "Date":
            return (self.world.owner.now().date() - timedelta(days=DAYS_AGO.get(name, 0))).isoformat()
        if kind.name == "Int":
            return NUMBERS.get(name, 1)
        if kind.name in SCALARS:
            return SCALARS[kind.name]
        raise AssertionError(f"{self.operation}: add a value of the type {kind.name} to SCALARS in schema_walk.py")

    def fitting_id(self, type_name: str) -> str:
        """The world's object of this type in the state that the operation wants."""
        wanted = STATES.get(self.operation.name)
        return self.world.id(type_name, wanted if wanted in self.world.ids(type_name) else None)


def document(operation: Operation, variables: Mapping[str, Any], *, on: str | None = None, first: int = 2) -> str:
    """Asks for everything that the operation answers, down to DEPTH. `on` is the type of a node that is asked for."""
    return _document(operation, tuple(variables), on, first)


@cache
def _document(operation: Operation, names: tuple[str, ...], on: str | None, first: int) -> str:
    args = operation.field.args
    declared = "".join(f"${name}: {args[name].type}, " for name in names)
    given = "".join(f"{name}: ${name}, " for name in names)
    call = f"{operation.name}{f'({given})' if given else ''} {selection(operation.field.type, on=on, first=first)}"
    if operation.parent is not None:
        declared += "$_parent: ID!, "
        call = f"node(id: $_parent) {{ ... on {operation.parent} {{ {call} }} }}"
    return f"{operation.kind}{f'({declared})' if declared else ''} {{ {call} }}"


def selection(kind: Any, *, on: str | None = None, first: int = 2, depth: int = DEPTH) -> str:
    """A selection set of all leaves, and of objects down to `depth`; empty for a leaf."""
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
        inner = f"... on {on} {selection(SCHEMA.type_map[on], first=first, depth=depth)}" if on else ""
        return f"{{ __typename {inner} }}"
    assert isinstance(named, GraphQLObjectType)
    parts = [part for name, field in named.fields.items() if (part := _selected(name, field, first, depth))]
    return f"{{ __typename {' '.join(parts)} }}"


def _selected(name: str, field: GraphQLField, first: int, depth: int) -> str:
    if any(is_required_argument(argument) for argument in field.args.values()):
        return ""
    given = f"(first: {first})" if "first" in field.args else ""
    if is_leaf_type(get_named_type(field.type)):
        return f"{name}{given}"
    return f"{name}{given} {selection(field.type, first=first, depth=depth - 1)}" if depth > 0 else ""


def is_connection(field: GraphQLField) -> bool:
    return get_named_type(field.type).name.endswith("Connection")


def text_places(operation: Operation) -> list[Path]:
    """Every String in the arguments, JSON objects too."""
    return [path for name, argument in operation.field.args.items() for path in _texts_in(argument.type, (name,))]


def _texts_in(kind: Any, path: Path) -> Iterator[Path]:
    kind = get_nullable_type(kind)
    if isinstance(kind, GraphQLList):
        yield from _texts_in(kind.of_type, (*path, "*"))
    elif isinstance(kind, GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield from _texts_in(field.type, (*path, name))
    elif kind.name in ("String", "JSONObject"):
        yield path


def needed_permission(described: GraphQLField) -> str | None:
    """The permission that the description names, or None when it says that everybody may. Fails when it says neither."""
    text = described.description or ""
    if text.endswith("Open to everyone."):
        return None
    _, found, rest = text.partition("Needs the permission `")
    assert found, f"the description says nothing of permissions: {text}"
    return rest.partition("`")[0]
