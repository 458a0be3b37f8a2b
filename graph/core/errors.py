"""Errors in the public schema: refusals inside payloads, and the few top-level errors, masked where they are ours."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import strawberry
import structlog
from graphql import GraphQLError

from app.core.errors import DomainError, ErrorCode, RequestError, Throttled
from app.core.outages import is_away
from graph.core.enums import describe_enum

log = structlog.get_logger(__name__)

_LONGEST_MESSAGE = 400
_AWAY = "A database of ours cannot be reached right now: try again in a moment."
_AWAY_SECONDS = 5


class TopLevelCode(StrEnum):
    """All values that `extensions.code` of a top-level error can have."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    THROTTLED = "THROTTLED"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    BAD_INPUT = "BAD_INPUT"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    AWAY = "AWAY"
    INTERNAL = "INTERNAL"


# One sentence per code; a test demands it of every new one.
SENTENCES: Mapping[ErrorCode, str] = {
    ErrorCode.INVALID: "The value is not acceptable as it is.",
    ErrorCode.REQUIRED: "A value is needed here.",
    ErrorCode.TOO_LONG: "The text is longer than allowed.",
    ErrorCode.TOO_LARGE: "The content is larger than allowed.",
    ErrorCode.NOT_FOUND: "There is no such object, or it is not yours.",
    ErrorCode.TAKEN: "Another object has this value already.",
    ErrorCode.CONFLICT: "The object was changed by someone else in the meantime.",
    ErrorCode.WRONG_STATE: "The object's present state does not allow this.",
    ErrorCode.LIMIT_REACHED: "A limit of the plan or of the object is reached.",
    ErrorCode.EXPIRED: "The token, link or upload is no longer valid.",
    ErrorCode.NOT_ALLOWED: "The rules of the tenant or the platform forbid it.",
    ErrorCode.CONCURRENT: "The same idempotency key is being worked on right now.",
    ErrorCode.IDEMPOTENCY_KEY_REUSED: "The idempotency key was used before with another input.",
    ErrorCode.ALREADY_DONE: "It was done under this idempotency key, but its answer was lost.",
    ErrorCode.TOO_MANY_ATTEMPTS: "Too many attempts: wait before trying again.",
    ErrorCode.WRONG_CREDENTIALS: "The e-mail address, the password or the code is wrong.",
    ErrorCode.TOTP_REQUIRED: "The password is right; a code of the authenticator app, or a recovery code, is needed too.",
    ErrorCode.WEAK_PASSWORD: "The password is too easy to guess.",
    ErrorCode.LAST_OWNER: "A tenant keeps at least one owner.",
    ErrorCode.CURSOR_EXPIRED: "The cursor is older than what is kept.",
    ErrorCode.TEMPLATE_INVALID: "The template cannot be read.",
    ErrorCode.TEMPLATE_FIELD_MISSING: "The template needs a field that the contact does not have.",
    ErrorCode.TEMPLATE_TOO_EXPENSIVE: "The template does more work, or makes more text, than allowed.",
    ErrorCode.FILE_UNREADABLE: "The file cannot be read as what it should be.",
    ErrorCode.UPLOAD_INCOMPLETE: "The upload is not finished yet.",
}

UserErrorCode = describe_enum(
    ErrorCode,
    "Why an input was refused.",
    {code: SENTENCES.get(code, f"{code.capitalize().replace('_', ' ')}.") for code in ErrorCode},
    name="UserErrorCode",
)


@strawberry.type(description="A refusal that the user can act on.")
class UserError:
    message: str = strawberry.field(description="A sentence for the person.")
    path: list[str] = strawberry.field(description="The input field that it is about, from the outermost name inwards.")
    code: ErrorCode = strawberry.field(description="The reason, for the machine.")


def user_errors(error: DomainError) -> list[UserError]:
    """Every refusal in a DomainError, in its order."""
    return [UserError(message=part.message, path=list(part.path), code=part.code) for part in error.parts()]


class TooComplex(GraphQLError):
    """A document over one of the limits: answered as QUERY_TOO_COMPLEX."""


def present(errors: Iterable[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """Errors as the client sees them. What is not meant for clients becomes INTERNAL, and is logged here, once."""
    return [_present(error, request_id) for error in errors]


def shortened(message: str) -> str:
    """Messages quote what was sent, however long it was."""
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."


def refusal(error: RequestError) -> dict[str, Any]:
    """A request error that was raised before there was an operation."""
    return {"message": error.message, "extensions": _extensions(error)}


def bad_input(message: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": TopLevelCode.BAD_INPUT.value}}


def internal(error: BaseException, request_id: str, *, path: Sequence[str | int] | None = None) -> dict[str, Any]:
    """Logs an exception that no client may see, and words what it gets instead: that a server of ours is away, or no more
    than the request's id."""
    if is_away(error):
        log.warning("graphql.away", request_id=request_id, path=path, error=f"{type(error).__name__}: {error}")
        return {"message": _AWAY, "extensions": {"code": TopLevelCode.AWAY.value, "retryAfter": _AWAY_SECONDS}}
    log.error("graphql.internal_error", request_id=request_id, path=path, exc_info=error)
    return {
        "message": f"Something went wrong on our side. Mention request {request_id} when you ask about it.",
        "extensions": {"code": TopLevelCode.INTERNAL.value, "requestId": request_id},
    }


def _present(error: GraphQLError, request_id: str) -> dict[str, Any]:
    shown = _worded(error, request_id)
    if error.locations:
        shown["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        shown["path"] = list(error.path)
    return shown


def _worded(error: GraphQLError, request_id: str) -> dict[str, Any]:
    cause = _cause(error)
    if isinstance(cause, RequestError):
        return {"message": cause.message, "extensions": _extensions(cause)}
    if isinstance(cause, DomainError):
        is_expired = cause.code is ErrorCode.CURSOR_EXPIRED  # a client must tell it apart: it starts over
        code = TopLevelCode.CURSOR_EXPIRED if is_expired else TopLevelCode.BAD_INPUT
        return {"message": cause.message, "extensions": {"code": code.value, "reason": cause.code.value}}
    if isinstance(cause, TooComplex):
        return {"message": cause.message, "extensions": {"code": TopLevelCode.QUERY_TOO_COMPLEX.value}}
    if isinstance(cause, GraphQLError) and (error.path is None or cause.nodes):
        return bad_input(shortened(_naming(error, cause)))
    return internal(cause, request_id, path=error.path)


def _cause(error: GraphQLError) -> Exception:
    """The exception at the bottom: graphql-core wraps what resolvers raise, sometimes twice.

    A GraphQLError at the bottom is about the client's document when it points into it (a bad argument),
    and about our own value when it does not (a leaf that its scalar refused).
    """
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _naming(error: GraphQLError, cause: GraphQLError) -> str:
    """The message that says also which variable is meant: graphql-core puts that around what its type has to say."""
    return error.message if error.message.endswith(cause.message) else cause.message


def _extensions(error: RequestError) -> dict[str, Any]:
    extensions: dict[str, Any] = {"code": error.code}
    if isinstance(error, Throttled):
        extensions["retryAfter"] = max(1, round(error.retry_after_seconds))
    return extensions
