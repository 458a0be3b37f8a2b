"""@mutation: a use case in, a payload out. Refusals become userErrors; an idempotency key makes the call happen once."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

from app.core.caller import Caller
from app.core.errors import DomainError
from app.core.idempotency import IdempotencyClaim, StoredAnswer, claim_key, release, settle
from graph.core.errors import UserError, user_errors
from graph.core.query import UseCase, described, needs
from graph.core.replay import answer_of, input_hash, replayed

Resolver = Callable[..., Awaitable[Any]]
_ANONYMOUS = "anonymous"


@strawberry.type(description="What every mutation answers.")
class Payload:
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why nothing was changed; empty when it was done."
    )


@strawberry.input(description="An input that can be sent again without doing it twice.")
class IdempotentInput:
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="A text of your choice, unique to this call: within a day the same key and input give the same answer.",
    )


def mutation(
    *, uses: UseCase, description: str, anonymous: bool = False, name: str | None = None
) -> Callable[[Resolver], Any]:
    """Makes a resolver of one `input` a mutation; `anonymous` opens it to callers without a token (sign-in operations).

    Raises TypeError at import for a missing description or a resolver whose annotations break the convention.
    """

    def declare(resolver: Resolver) -> Any:
        text = f"{described(description, resolver.__qualname__)} {needs(uses)}"
        payload = _payload_of(resolver)

        @wraps(resolver)
        async def resolve(self: Any, info: Any, input: Any) -> Any:
            try:
                if getattr(input, "idempotency_key", None) is None:
                    return await resolver(self, info, input)
                return await _once(resolver, payload, self, info, input)
            except DomainError as error:
                return payload(user_errors=user_errors(error))
            finally:
                info.context.loaders.forget()

        return strawberry.mutation(resolver=resolve, description=text, name=name, metadata={_ANONYMOUS: anonymous})

    return declare


def is_anonymous(field: StrawberryField | None) -> bool:
    """Whether the mutation is a sign-in operation."""
    metadata: Mapping[Any, Any] = (field.metadata if field is not None else None) or {}
    return bool(metadata.get(_ANONYMOUS, False))


def _payload_of(resolver: Resolver) -> type[Payload]:
    hints = inspect.get_annotations(resolver, eval_str=True)
    payload = hints.get("return")
    if not (isinstance(payload, type) and issubclass(payload, Payload)):
        raise TypeError(f"{resolver.__qualname__}: its return annotation must be a subclass of Payload")
    if "input" not in inspect.signature(resolver).parameters:
        raise TypeError(f"{resolver.__qualname__}: a mutation has one argument, `input`")
    return payload


async def _once(resolver: Resolver, payload: type[Payload], parent: Any, info: Any, given: Any) -> Any:
    caller: Caller = info.context.caller
    claim = await claim_key(caller, resolver.__name__, key=given.idempotency_key, input_hash=input_hash(given))
    if isinstance(claim, StoredAnswer):
        return await replayed(payload, claim.answer, info)
    try:
        answer = await resolver(parent, _with_claim(info, claim), given)
    except DomainError as error:
        answer = payload(user_errors=user_errors(error))
    except Exception:
        await release(caller, claim)
        raise
    await settle(caller, claim, answer_of(answer))
    return answer


def _with_claim(info: Any, claim: IdempotencyClaim) -> Any:
    """The same info for a caller that carries the claim; fields below the payload keep the plain caller."""
    context = info.context.acting_as(info.context.caller.with_claim(claim))
    return type(info)(_raw_info=info._raw_info._replace(context=context), _field=info._field)
