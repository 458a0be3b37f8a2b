"""The conventions of the public schema, checked whenever it is built, so that no test has to remember them."""

import re
from collections.abc import Iterator
from typing import Any

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_specified_scalar_type,
)

from graph.core.connections import is_bounded
from graph.core.mutation import is_anonymous

REPLAYABLE_LEAVES = frozenset({"ID", "String", "Int", "Float", "Boolean"})
_BACKREF = "strawberry-definition"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class SchemaMistakes(TypeError):
    """The schema breaks conventions; the message has a sentence for each place."""


def check_conventions(schema: strawberry.Schema) -> None:
    """Raises SchemaMistakes."""
    mistakes = [*silent_places(schema), *mutation_mistakes(schema), *bare_lists(schema), *endless_deprecations(schema)]
    if mistakes:
        raise SchemaMistakes("\n".join(mistakes))


def silent_places(schema: strawberry.Schema) -> Iterator[str]:
    """Every type, field, argument, input field and enum value without a description."""
    for kind in _own_types(schema):
        if not kind.description:
            yield f"{kind.name} has no description."
        members: dict[str, Any] = {}
        if isinstance(kind, GraphQLEnumType):
            members = dict(kind.values)
        elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            members = dict(kind.fields)
        for name, member in members.items():
            if not member.description:
                yield f"{kind.name}.{name} has no description."
            for argument, defined in getattr(member, "args", {}).items():
                if not defined.description:
                    yield f"{kind.name}.{name}({argument}:) has no description."


def mutation_mistakes(schema: strawberry.Schema) -> Iterator[str]:
    """Mutations that are not `verbNoun(input: VerbNounInput!): VerbNounPayload!`, or promise a replay they cannot give."""
    mutations = schema._schema.mutation_type
    for name, field in (mutations.fields if mutations else {}).items():
        word = name[0].upper() + name[1:]
        arguments = {each: str(defined.type) for each, defined in field.args.items()}
        if arguments != {"input": f"{word}Input!"}:
            yield f"{name} must take exactly `input: {word}Input!`."
            continue
        if str(field.type) != f"{word}Payload!":
            yield f"{name} must answer `{word}Payload!`."
            continue
        yield from _payload_mistakes(name, field)
        if (
            is_anonymous(field.extensions.get(_BACKREF))
            and "idempotencyKey" in get_named_type(field.args["input"].type).fields
        ):
            yield f"{name} is open to callers without a tenant: it must not take an idempotencyKey."


def bare_lists(schema: strawberry.Schema) -> Iterator[str]:
    """Lists of objects that are no connection and are not declared bounded."""
    for kind in _own_types(schema):
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) or kind.name.endswith("Connection"):
            continue
        for name, field in kind.fields.items():
            if name == "userErrors" or not is_list_type(get_nullable_type(field.type)):
                continue
            declared = field.extensions.get(_BACKREF)
            known = kind.name == "Query" and name == "nodes"
            if not is_leaf_type(get_named_type(field.type)) and not known and not is_bounded(declared):
                yield f"{kind.name}.{name} lists objects: make it a connection, or say why it is short with bounded()."


def endless_deprecations(schema: strawberry.Schema) -> Iterator[str]:
    """Deprecations whose reason does not say until when, as in `Use note. Removed on 2027-03-01.`"""
    for kind in _own_types(schema):
        members = getattr(kind, "fields", None) or getattr(kind, "values", {})
        for name, member in members.items():
            if member.deprecation_reason and not _DAY.search(member.deprecation_reason):
                yield f"{kind.name}.{name} is deprecated: say in its reason on which day (YYYY-MM-DD) it is removed."


def _payload_mistakes(name: str, field: GraphQLField) -> Iterator[str]:
    payload = get_named_type(field.type)
    given = get_named_type(field.args["input"].type)
    assert isinstance(payload, GraphQLObjectType)
    assert isinstance(given, GraphQLInputObjectType)
    if "userErrors" not in payload.fields:
        yield f"{payload.name} must have userErrors: derive it from Payload."
    for inner, defined in payload.fields.items():
        if inner == "userErrors":
            continue
        if isinstance(defined.type, GraphQLNonNull):
            yield f"{payload.name}.{inner} must be nullable: a refused call has none."
        if "idempotencyKey" in given.fields and not _is_replayable(get_named_type(defined.type)):
            yield f"{payload.name}.{inner} cannot be answered again: {name} must not take an idempotencyKey."


def _is_replayable(kind: GraphQLNamedType) -> bool:
    if isinstance(kind, GraphQLObjectType):
        return any(interface.name == "Node" for interface in kind.interfaces)
    return kind.name in REPLAYABLE_LEAVES


def _own_types(schema: strawberry.Schema) -> Iterator[GraphQLNamedType]:
    for name, kind in schema._schema.type_map.items():
        if not name.startswith("__") and not is_specified_scalar_type(kind):
            yield kind
