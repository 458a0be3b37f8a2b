"""What may be compiled: fields that only read an attribute, of objects whose class says everything about them.

Knows the insides of the pinned versions of Strawberry and graphql-core. What it does not know is not pure, and so stays theirs.
"""

import keyword

from graphql import GraphQLField, GraphQLObjectType
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.field import StrawberryField

_BASIC_RESOLVER = "_get_basic_result"  # how Strawberry names the resolver of a field that is an attribute


def attribute(field: GraphQLField) -> str | None:
    """The name of the attribute that the field reads; None when it does more than to read one."""
    declared = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if type(declared) is not StrawberryField or not declared.is_basic_field or field.args:
        return None
    if getattr(field.resolve, "__name__", "") != _BASIC_RESOLVER or declared.default_resolver is not getattr:
        return None
    name = declared.python_name
    return name if name.isidentifier() and not keyword.iskeyword(name) else None


def classes(kind: GraphQLObjectType) -> tuple[type, ...]:
    """The Python classes whose own instances are objects of this type without a further look; none when it is not known."""
    definition = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.is_type_of is not None:
        return ()
    generic = definition.concrete_of
    known = (definition.origin,) if generic is None else (definition.origin, generic.origin)
    return tuple(each for each in known if _is_plain(each))


def _is_plain(origin: type) -> bool:
    return not (
        issubclass(origin, BaseException) or hasattr(origin, "__await__") or hasattr(origin, TYPE_CAST_ATTRIBUTE)
    )
