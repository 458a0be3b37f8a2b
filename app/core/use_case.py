"""Declares what a use case needs. The registry is printed into the schema and listed by a house test."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from app.core.caller import Caller, CallerKind
from app.core.errors import Forbidden, Unauthenticated
from app.core.permissions import Permission

Params = ParamSpec("Params")
Result = TypeVar("Result")
UseCase = Callable[Concatenate[Caller, Params], Awaitable[Result]]
Watch = Callable[Concatenate[Caller, Params], AsyncGenerator[Result, None]]


def requires(
    permission: Permission | None,
) -> Callable[[UseCase[Params, Result]], UseCase[Params, Result]]:
    """Checks the caller before the use case runs; None opens it to anonymous callers.

    The check is against the tenant role or any workspace role; a use case on one workspace's object also calls
    `caller.must(permission, workspace_id)`. Raises Unauthenticated or Forbidden.
    """

    def declare(use_case: UseCase[Params, Result]) -> UseCase[Params, Result]:
        @wraps(use_case)
        async def checked(caller: Caller, /, *args: Params.args, **named: Params.kwargs) -> Result:
            _check(caller, permission)
            return await use_case(caller, *args, **named)

        checked.permission = permission  # type: ignore[attr-defined]
        return checked

    return declare


def watches(permission: Permission) -> Callable[[Watch[Params, Result]], Watch[Params, Result]]:
    """As `requires`, for a use case that is an async generator: checked when it is first asked for a value."""

    def declare(watch: Watch[Params, Result]) -> Watch[Params, Result]:
        @wraps(watch)
        async def checked(
            caller: Caller, /, *args: Params.args, **named: Params.kwargs
        ) -> AsyncGenerator[Result, None]:
            _check(caller, permission)
            async with aclosing(watch(caller, *args, **named)) as values:
                async for value in values:
                    yield value

        checked.permission = permission  # type: ignore[attr-defined]
        return checked

    return declare


def _check(caller: Caller, permission: Permission | None) -> None:
    if permission is None:
        return
    if caller.kind is CallerKind.ANONYMOUS:
        raise Unauthenticated
    if not caller.may(permission):
        raise Forbidden(permission)


def permission_of(use_case: Callable[..., Any]) -> Permission | None:
    """The permission that @requires declared. Raises AttributeError when the function is not a use case."""
    return use_case.permission  # type: ignore[attr-defined, no-any-return]
