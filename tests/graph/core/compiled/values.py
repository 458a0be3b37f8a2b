"""Values by chance for any output type: mostly what a resolver should give, now and then what it never should."""

import asyncio
import random
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter

_DEPTH = 6


class Text(str):
    """A text of a class of its own."""


class Mood(Enum):
    RED = "r"


class Later:
    """An awaitable that may be left without a warning, as a value that nobody selects is. Raises a value that is an exception."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from asyncio.sleep(0).__await__()
        if isinstance(self._value, Exception):
            raise self._value
        return self._value

    def __repr__(self) -> str:
        return "<Later>"


class Broken:
    """Not what anybody expects; each of its attributes fails."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no {name}")

    def __repr__(self) -> str:
        return "<Broken>"


# Each is called for a new value.
POISONS: tuple[Any, ...] = (
    lambda: None,
    lambda: Undefined,
    lambda: Text("text"),
    lambda: "text",
    lambda: 7,
    lambda: 7.5,
    lambda: True,
    lambda: 1 << 40,
    lambda: float("inf"),
    lambda: float("nan"),
    lambda: b"bytes",
    lambda: {"a": 1},
    lambda: ["l", None],
    lambda: ("t", 1),
    lambda: iter(["g"]),
    lambda: {"s"},
    lambda: ValueError("an exception as a value"),
    lambda: [ValueError("in a list")],
    lambda: Mood.RED,
    lambda: datetime(2026, 1, 2, tzinfo=UTC),
    lambda: datetime(2026, 1, 2),  # noqa: DTZ001
    lambda: date(2026, 1, 2),
    Broken,
    object,
    lambda: Later("late"),
    lambda: Later(None),
    lambda: [Later(5), 6],
    lambda: Later(RuntimeError("failed later")),
    lambda: object,
)


NEARLY_RIGHT: dict[Any, tuple[Any, ...]] = {
    GraphQLInt: (lambda: 1 << 31, lambda: -(1 << 31) - 1, lambda: 1.5, lambda: "12"),
    GraphQLFloat: (lambda: float("nan"), lambda: float("-inf"), lambda: "1.5", lambda: 10**400),
    GraphQLString: (lambda: Text("text"), lambda: 5, lambda: True),
    GraphQLID: (lambda: Text("text"), lambda: 5, lambda: 5.0, lambda: True),
    GraphQLBoolean: (lambda: 1, lambda: 0.0, lambda: "true"),
}


class Values:
    """Deterministic: the same seed gives the same value at the same place, whichever executor asks, and in any order."""

    def __init__(self, schema: GraphQLSchema, seed: int, *, poison: float) -> None:
        self._schema = schema
        self._seed = seed
        self._poison = poison
        self._possible = [each for each in schema.type_map.values() if isinstance(each, GraphQLObjectType)]

    def resolved(self, raw: Any, arguments: str) -> Any:
        """What a resolver at this place returns, or raises. `raw` is graphql-core's info."""
        chance = random.Random(f"{self._seed} {raw.path.as_list()} {arguments}")
        if chance.random() < self._poison:
            raise RuntimeError(f"failed at {raw.path.as_list()}")
        return self.value(raw.return_type, chance, 0)

    async def resolved_later(self, raw: Any, arguments: str) -> Any:
        await asyncio.sleep(0)
        value = self.resolved(raw, arguments)
        return await value if isinstance(value, Later) else value

    def event(self, kind: Any, name: str) -> Any:
        """What a subscription's source gives."""
        return self.value(kind, random.Random(f"{self._seed} {name}"), 0)

    def value(self, kind: Any, chance: random.Random, depth: int) -> Any:
        if chance.random() < self._poison * 0.3:
            near = NEARLY_RIGHT.get(getattr(kind, "of_type", kind)) if chance.random() < 0.6 else None
            return chance.choice(near or POISONS)()
        if is_non_null_type(kind):
            return self._present(kind.of_type, chance, depth)
        return None if chance.random() < 0.2 or depth > _DEPTH else self._present(kind, chance, depth)

    def _present(self, kind: Any, chance: random.Random, depth: int) -> Any:
        if is_list_type(kind):
            size = 0 if depth > _DEPTH else chance.choice([0, 1, 2, 3])
            items = [self.value(kind.of_type, chance, depth + 1) for _ in range(size)]
            return tuple(items) if chance.random() < 0.1 else items
        if is_leaf_type(kind):
            return self._leaf(kind, chance)
        if is_abstract_type(kind):
            kind = chance.choice(list(self._schema.get_possible_types(kind)))
        return self._object(kind, chance, depth)

    def _object(self, kind: GraphQLObjectType, chance: random.Random, depth: int) -> Any:
        definition = kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        origin = definition.concrete_of.origin if definition.concrete_of else definition.origin
        made = object.__new__(origin)
        for field in kind.fields.values():
            declared = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            if declared.is_basic_field and chance.random() > self._poison * 0.05:
                object.__setattr__(made, declared.python_name, self.value(field.type, chance, depth + 1))
        if chance.random() < self._poison * 0.1:
            other = chance.choice(self._possible).extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            object.__setattr__(made, "__as_strawberry_type__", getattr(other, "origin", origin))
        return made

    def _leaf(self, kind: Any, chance: random.Random) -> Any:
        if isinstance(kind, CustomGraphQLEnumType):
            return chance.choice(list(kind.wrapped_cls))
        if isinstance(kind, GraphQLEnumType):
            return chance.choice([each.value for each in kind.values.values()])
        return _LEAVES[kind.name](chance)


_LEAVES: dict[str, Any] = {
    "String": lambda chance: chance.choice(["", "text", "é", '"quoted"']),
    "ID": lambda chance: f"id-{chance.randint(0, 99)}",
    "Int": lambda chance: chance.choice([0, -1, 2_147_483_647, -2_147_483_648, True, 3.0, chance.randint(0, 9)]),
    "Float": lambda chance: chance.choice([0.5, 1, -2.25, 1e300]),
    "Boolean": lambda chance: chance.choice([True, False]),
    "DateTime": lambda chance: datetime(
        2026, 1, chance.randint(1, 28), tzinfo=chance.choice([UTC, timezone(timedelta(hours=2))])
    ),
    "Date": lambda chance: date(2026, 1, chance.randint(1, 28)),
    "JSONObject": lambda chance: {"n": chance.randint(0, 9)},
}
