"""What can go wrong in words: refusals that a user can act on, and the few errors of the protocol itself."""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """Why an input was refused. One enum for every mutation; GraphQL shows it as UserErrorCode."""

    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    TOO_LONG = "TOO_LONG"
    TOO_LARGE = "TOO_LARGE"
    NOT_FOUND = "NOT_FOUND"
    TAKEN = "TAKEN"
    CONFLICT = "CONFLICT"
    WRONG_STATE = "WRONG_STATE"
    LIMIT_REACHED = "LIMIT_REACHED"
    EXPIRED = "EXPIRED"
    NOT_ALLOWED = "NOT_ALLOWED"
    CONCURRENT = "CONCURRENT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    ALREADY_DONE = "ALREADY_DONE"
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS"
    WRONG_CREDENTIALS = "WRONG_CREDENTIALS"
    TOTP_REQUIRED = "TOTP_REQUIRED"
    WEAK_PASSWORD = "WEAK_PASSWORD"  # noqa: S105
    LAST_OWNER = "LAST_OWNER"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    TEMPLATE_INVALID = "TEMPLATE_INVALID"
    TEMPLATE_FIELD_MISSING = "TEMPLATE_FIELD_MISSING"
    TEMPLATE_TOO_EXPENSIVE = "TEMPLATE_TOO_EXPENSIVE"
    FILE_UNREADABLE = "FILE_UNREADABLE"
    UPLOAD_INCOMPLETE = "UPLOAD_INCOMPLETE"


class DomainError(Exception):
    """A refusal that the user can act on: a sentence for the person, a code for the machine, the input's path.

    `path` names GraphQL input fields in camelCase, such as ("input", "campaignId").
    """

    code: ClassVar[ErrorCode] = ErrorCode.INVALID

    def __init__(self, message: str, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = tuple(path)

    def parts(self) -> "list[DomainError]":
        return [self]


class Problems(DomainError):
    """Several refusals at once, so that a form shows all of them."""

    def __init__(self, problems: Sequence[DomainError]) -> None:
        super().__init__("; ".join(each.message for each in problems))
        self._problems = list(problems)

    def parts(self) -> list[DomainError]:
        return [part for problem in self._problems for part in problem.parts()]


class Invalid(DomainError):
    """A value that no later attempt would make right."""


class Required(DomainError):
    code = ErrorCode.REQUIRED


class TooLong(DomainError):
    code = ErrorCode.TOO_LONG


class NotFound(DomainError):
    """There is no such thing, or it is not the caller's: always the same answer."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, noun: str, path: Sequence[str] = ()) -> None:
        super().__init__(f"There is no such {noun}.", path)


class Taken(DomainError):
    code = ErrorCode.TAKEN


class Conflict(DomainError):
    code = ErrorCode.CONFLICT


class WrongState(DomainError):
    code = ErrorCode.WRONG_STATE


class LimitReached(DomainError):
    code = ErrorCode.LIMIT_REACHED


class Expired(DomainError):
    code = ErrorCode.EXPIRED


class RequestError(Exception):
    """An error of the request as a whole; GraphQL shows its `code` in extensions.code."""

    code: ClassVar[str] = "BAD_INPUT"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadInput(RequestError):
    """An argument that the schema allows and the server does not, such as first: 1000."""


class Unauthenticated(RequestError):
    code = "UNAUTHENTICATED"

    def __init__(self, message: str = "Sign in: this needs a valid access token.") -> None:
        super().__init__(message)


class Forbidden(RequestError):
    code = "FORBIDDEN"

    def __init__(self, permission: str) -> None:
        super().__init__(f"You need the permission {permission}.")


class Throttled(RequestError):
    code = "THROTTLED"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"Too many requests: try again in {max(1, round(retry_after_seconds))} seconds.")
        self.retry_after_seconds = retry_after_seconds
