"""Domain enums in the public schema: they stay plain Python enums, and get their descriptions here."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import strawberry

Member = TypeVar("Member", bound=Enum)


def describe_enum(
    enum: type[Member], description: str, values: Mapping[Member, str], *, name: str | None = None
) -> type[Member]:
    """Puts an enum into the schema under `name` (default: its own). Raises TypeError when a member has no sentence."""
    silent = [member.name for member in enum if not values.get(member, "").strip()]
    if silent:
        raise TypeError(f"{enum.__name__}: describe every value, these have no sentence: {', '.join(silent)}")
    described = strawberry.enum(enum, name=name, description=description)
    definition = described.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]
    return enum
