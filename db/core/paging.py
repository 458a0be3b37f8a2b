"""Keyset pages. Ids are UUIDv7, so newest first is `ORDER BY id DESC` and a page goes on below the last id."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items in order, and whether more follow. Made by `cut` from one item more than was asked for."""

    items: list[Item]
    has_next: bool

    @classmethod
    def cut(cls, items: list[Item], first: int) -> "Page[Item]":
        return cls(items[:first], len(items) > first)

    def map(self, change: Callable[[Item], Other]) -> "Page[Other]":
        return Page([change(item) for item in self.items], self.has_next)
