"""@query: a read field, on the root or on a type. Says what it needs, and answers what is not there with nothing."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import strawberry
from strawberry.types.base import StrawberryOptional, get_object_definition

from app.core.errors import BadInput, DomainError, ErrorCode
from app.core.use_case import permission_of
from graph.core.connections import Connection, bounded, empty_connection

UseCase = Callable[..., Any]
Resolver = Callable[..., Awaitable[Any]]


def needs(uses: UseCase) -> str:
    """The sentence about the use case's permission, for descriptions."""
    permission = permission_of(uses)
    return "Open to everyone." if permission is None else f"Needs the permission `{permission.value}`."


def described(description: str, place: str) -> str:
    """The description, checked. Raises TypeError at import when it is missing or no sentence."""
    if not description.strip().endswith((".", "!", "?")):
        raise TypeError(f"{place}: describe it in one sentence, which ends with a full stop")
    return description.strip()


def query(
    *, uses: UseCase, description: str, name: str | None = None, bounded_by: str | None = None
) -> Callable[[Resolver], Any]:
    """Makes a resolver a field. `bounded_by` says why a list of objects is short, where it is no connection.

    A NOT_FOUND refusal of the use case is null, or an empty page for a connection; other refusals become BAD_INPUT.
    """

    def declare(resolver: Resolver) -> Any:
        text = f"{described(description, resolver.__qualname__)} {needs(uses)}"

        @wraps(resolver)
        async def resolve(self: Any, info: Any, **arguments: Any) -> Any:
            try:
                return await resolver(self, info, **arguments)
            except DomainError as error:
                if error.code is not ErrorCode.NOT_FOUND:
                    raise
                return _nothing(info.return_type, error)

        metadata = bounded(bounded_by) if bounded_by else None
        return strawberry.field(resolver=resolve, description=text, name=name, metadata=metadata)

    return declare


def _nothing(return_type: object, error: DomainError) -> Any:
    if isinstance(return_type, StrawberryOptional):
        return None
    definition = get_object_definition(return_type)
    if definition is not None and definition.origin is not None and issubclass(definition.origin, Connection):
        return empty_connection()
    raise BadInput(error.message) from error
