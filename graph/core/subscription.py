"""@subscription: a live field. The source generator is always closed, also when the client just vanishes."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any, cast

import strawberry

from graph.core.query import UseCase, described, needs

Source = Callable[..., AsyncIterator[Any]]


def subscription(*, uses: UseCase, description: str, name: str | None = None) -> Callable[[Source], Any]:
    """Makes an async generator method a subscription field.

    A DomainError ends the subscription with BAD_INPUT (or CURSOR_EXPIRED) and the ErrorCode as `reason`. Loaders start anew per event.
    """

    def declare(source: Source) -> Any:
        text = f"{described(description, source.__qualname__)} {needs(uses)}"

        @wraps(source)
        async def events(self: Any, info: Any, **arguments: Any) -> AsyncGenerator[Any, None]:
            generator = cast("AsyncGenerator[Any, None]", source(self, info, **arguments))
            async with aclosing(generator) as stream:
                async for event in stream:
                    info.context.loaders.forget()
                    yield event

        return strawberry.subscription(resolver=events, description=text, name=name)

    return declare
