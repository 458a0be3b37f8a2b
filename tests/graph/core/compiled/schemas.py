"""Schemas by chance: types with plain attributes, lists and nulls of each other, resolvers, interfaces and unions."""

import random
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from graph.core.scalars import SCALARS, JsonObject
from tests.graph.core.compiled.values import Values


@strawberry.enum
class Colour(Enum):
    RED = "r"
    BLUE = "b"


@strawberry.enum
class Size(Enum):
    SMALL = 1
    LARGE = (2, 3)


@strawberry.interface
class Thing:
    id: strawberry.ID
    label: str | None


LEAVES: tuple[Any, ...] = (str, int, float, bool, strawberry.ID, datetime, date, JsonObject, Colour, Size)


@dataclass(frozen=True)
class Made:
    """A schema, and what its resolvers read at each run."""

    schema: GraphQLSchema
    values: "Source"


class Source:
    """Where resolvers find their values; set before each run."""

    values: Values


def make_schema(seed: int, *, types: int = 5) -> Made:
    chance, source, made = random.Random(seed), Source(), list[type]()
    for number in range(types):
        made.append(_object(f"T{seed}N{number}", chance, made, source))
    roots = {f"r{number}": _resolver(_wrapped(chance, kind), chance, source) for number, kind in enumerate(made)}
    roots["thing"] = _resolver(Thing | None, chance, source)
    roots["things"] = _resolver(list[Thing | None], chance, source)
    roots["either"] = _resolver(_union(made, seed) | None, chance, source)
    query = _declared("Query", roots, ())
    writes = {f"w{number}": _resolver(_wrapped(chance, kind), chance, source) for number, kind in enumerate(made)}
    schema = strawberry.Schema(
        query=query,
        mutation=_declared("Mutation", writes, ()),
        types=made,
        config=StrawberryConfig(scalar_map=SCALARS),
    )._schema
    return Made(schema, source)


def _object(name: str, chance: random.Random, earlier: list[type], source: Source) -> type:
    fields: dict[str, Any] = {}
    for number in range(chance.randint(3, 8)):
        inner = chance.choice(earlier) if earlier and chance.random() < 0.35 else chance.choice(LEAVES)
        kind = _wrapped(chance, inner)
        is_plain = chance.random() < 0.85
        fields[f"f_{number}"] = kind if is_plain else _resolver(kind, chance, source)
    return _declared(name, fields, (Thing,) if chance.random() < 0.5 else ())


def _declared(name: str, fields: dict[str, Any], bases: tuple[type, ...]) -> type:
    plain = {key: kind for key, kind in fields.items() if not hasattr(kind, "base_resolver")}
    resolved = {key: kind for key, kind in fields.items() if key not in plain}
    return strawberry.type(type(name, bases, {"__annotations__": plain, "__module__": __name__, **resolved}))


def _wrapped(chance: random.Random, kind: Any) -> Any:
    """The type, or a list of it, or a list of lists; each level may be null."""
    kind = kind | None if chance.random() < 0.35 else kind
    if chance.random() < 0.3:
        kind = list[kind]
        kind = kind | None if chance.random() < 0.35 else kind
        if chance.random() < 0.2:
            kind = list[kind]
    return kind


def _union(made: list[type], seed: int) -> Any:
    return Annotated[made[0] | made[1], strawberry.union(f"Either{seed}")]


def _resolver(kind: Any, chance: random.Random, source: Source) -> Any:
    def resolve(info: strawberry.Info[Any, Any], n: int = 2, text: str | None = None) -> Any:
        return source.values.resolved(info._raw_info, f"{n}{text}")

    async def resolve_later(info: strawberry.Info[Any, Any], n: int = 2, text: str | None = None) -> Any:
        return await source.values.resolved_later(info._raw_info, f"{n}{text}")

    resolver = chance.choice([resolve, resolve_later])
    resolver.__annotations__["return"] = kind
    return strawberry.field(resolver=resolver)
