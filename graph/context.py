"""What resolvers reach through `info.context`: who asks, the request's id, and loaders that batch within the request."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from app.core.caller import Caller

Key = TypeVar("Key")
Value = TypeVar("Value")
ByBatch = dict[Callable[..., Any], DataLoader[Any, Any]]
Batch = Callable[["Context", Sequence[Key]], Awaitable[Sequence[Value]]]


class Loaders:
    """One DataLoader per batch function. Batches what one request asks for at the same time, and remembers it."""

    __slots__ = ("_by_batch", "_context")

    def __init__(self, context: "Context", by_batch: "ByBatch") -> None:
        self._context = context
        self._by_batch = by_batch

    async def load(self, batch: "Batch[Key, Value]", key: Key) -> Value:
        """The value for `key`; `batch(context, keys)` answers in the order and length of its keys."""
        loader = self._by_batch.get(batch)
        if loader is None:

            async def load_batch(keys: list[Any]) -> Sequence[Any]:
                return await batch(self._context, keys)

            loader = self._by_batch[batch] = DataLoader(load_fn=load_batch, max_batch_size=500)
        return await loader.load(key)  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Nothing loaded before is used again: after a mutation, and between a subscription's events."""
        self._by_batch.clear()


@dataclass(slots=True)
class Context:
    """One operation's surroundings. On a socket `caller` is replaced when its rights are checked again."""

    caller: Caller
    _by_batch: "ByBatch" = field(init=False, default_factory=dict)

    @property
    def loaders(self) -> Loaders:
        """Made when asked for: kept here, it would refer back, and only the collector would free a request's context."""
        return Loaders(self, self._by_batch)

    @property
    def request_id(self) -> str:
        return self.caller.request_id

    def acting_as(self, caller: Caller) -> "Context":
        """The same surroundings for another caller, with loaders of its own."""
        return replace(self, caller=caller)


Info = strawberry.Info[Context, None]
