"""The cost of an operation as a small expression: a number where all is known, with variables where `first` is one.

It is made once per document and evaluated per request. Numbers are capped, so that no product grows without bound.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST = 1 << 40
MOST_PAGE = 100


class Expression(ABC):
    """A cost that depends on variables."""

    __slots__ = ()

    @abstractmethod
    def value(self, variables: Mapping[str, Any]) -> int:
        """The cost with these variables."""


Price = int | Expression


@dataclass(frozen=True, slots=True)
class VariableCount(Expression):
    """How many items a variable asks for: a number, or the length of a list."""

    name: str
    default: int

    def value(self, variables: Mapping[str, Any]) -> int:
        given = variables.get(self.name)
        return len(given) if isinstance(given, list) else number(given, self.default)


@dataclass(frozen=True, slots=True)
class Sum(Expression):
    constant: int
    terms: tuple[Expression, ...]

    def value(self, variables: Mapping[str, Any]) -> int:
        return min(self.constant + sum(term.value(variables) for term in self.terms), MOST)

    @staticmethod
    def of(one: Price, other: Price) -> Price:
        if isinstance(one, int) and isinstance(other, int):
            return min(one + other, MOST)
        constant = 0
        terms: tuple[Expression, ...] = ()
        for each in (one, other):
            more, inner = _parts(each)
            constant, terms = min(constant + more, MOST), terms + inner
        return Sum(constant, terms)


@dataclass(frozen=True, slots=True)
class Product(Expression):
    times: Price
    inner: Price

    def value(self, variables: Mapping[str, Any]) -> int:
        return min(evaluate(self.times, variables) * evaluate(self.inner, variables), MOST)

    @staticmethod
    def of(times: Price, inner: Price) -> Price:
        if inner == 0:
            return 0
        if isinstance(times, int) and isinstance(inner, int):
            return min(times * inner, MOST)
        return Product(times, inner)


def evaluate(price: Price, variables: Mapping[str, Any]) -> int:
    return price if isinstance(price, int) else price.value(variables)


def number(given: object, default: int) -> int:
    """A page size as given, within 0 and the largest page; the default for what is no number."""
    if isinstance(given, bool) or not isinstance(given, int):
        return default
    return max(0, min(given, MOST_PAGE))


def _parts(price: Price) -> tuple[int, tuple[Expression, ...]]:
    if isinstance(price, Sum):
        return price.constant, price.terms
    return (price, ()) if isinstance(price, int) else (0, (price,))
