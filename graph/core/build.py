"""Makes the public schema: merges the nouns' classes into roots, and refuses a schema that breaks our conventions."""

from collections.abc import Mapping, Sequence
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryObjectDefinition

from graph.core.conventions import check_conventions
from graph.core.mutation import is_anonymous
from graph.core.node import LoadNodes, node_loaders
from graph.core.scalars import SCALARS


class PublicSchema(strawberry.Schema):
    """A schema that knows how its nodes are loaded, and which mutations are sign-in operations."""

    node_loaders: Mapping[str, LoadNodes]
    anonymous_mutations: frozenset[str]


def root(name: str, description: str, nouns: Sequence[type]) -> type:
    """One root type out of the nouns' classes. Raises TypeError when two of them name the same field."""
    seen: dict[str, str] = {}
    for noun in nouns:
        definition = get_object_definition(noun)
        if definition is None:
            raise TypeError(f"{noun.__name__} needs @strawberry.type")
        for field in definition.fields:
            if field.python_name in seen:
                raise TypeError(
                    f"{name}.{field.python_name} is declared by {seen[field.python_name]} and {noun.__name__}"
                )
            seen[field.python_name] = noun.__name__
    return strawberry.type(type(name, tuple(nouns), {}), name=name, description=description)


def build_schema(*, query: type, mutation: type | None = None, subscription: type | None = None) -> PublicSchema:
    """The schema. Raises SchemaMistakes with a sentence for each broken convention."""
    schema = PublicSchema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    schema.node_loaders = node_loaders(_origins(schema))
    schema.anonymous_mutations = _sign_in_operations(schema, mutation)
    check_conventions(schema)
    return schema


def _origins(schema: PublicSchema) -> list[type[Any]]:
    definitions = (each.definition for each in schema.schema_converter.type_map.values())
    return [each.origin for each in definitions if isinstance(each, StrawberryObjectDefinition)]


def _sign_in_operations(schema: PublicSchema, mutation: type | None) -> frozenset[str]:
    definition = get_object_definition(mutation) if mutation is not None else None
    if definition is None:
        return frozenset()
    name_of = schema.config.name_converter.get_graphql_name
    return frozenset(name_of(field) for field in definition.fields if is_anonymous(field))
