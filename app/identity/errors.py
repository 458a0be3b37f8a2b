"""Refusals of identity, as facts."""

from app.core.errors import DomainError, ErrorCode, Expired, Taken


class WrongCredentials(DomainError):
    """No such user, another password, or a wrong or used code: always the same answer."""

    code = ErrorCode.WRONG_CREDENTIALS

    def __init__(self) -> None:
        super().__init__("The e-mail address, the password or the code is wrong.", ("input", "password"))


class WrongPassword(DomainError):
    """The present password, asked for again before a change."""

    code = ErrorCode.WRONG_CREDENTIALS

    def __init__(self, field: str) -> None:
        super().__init__("This is not your password.", ("input", field))


class TotpRequired(DomainError):
    """The password is right, and the user has a second factor."""

    code = ErrorCode.TOTP_REQUIRED

    def __init__(self) -> None:
        super().__init__("Give the code of your authenticator app, or a recovery code.", ("input", "totpCode"))


class WrongCode(DomainError):
    """The first code of a new secret, which proves that the app has it."""

    code = ErrorCode.WRONG_CREDENTIALS

    def __init__(self) -> None:
        super().__init__("This is not the present code of the authenticator app.", ("input", "code"))


class WrongPasswordOrCode(DomainError):
    """Both are asked for again before a change of the second factor: which of them was wrong is not said."""

    code = ErrorCode.WRONG_CREDENTIALS

    def __init__(self) -> None:
        super().__init__("The password or the code is wrong.", ("input", "password"))


class AddressHasAccount(Taken):
    """Said to who proved the address by mail, and to nobody else: another user of it was verified before."""

    def __init__(self) -> None:
        super().__init__("This address belongs to an account already: sign in instead.", ("input", "token"))


class TooManyAttempts(DomainError):
    code = ErrorCode.TOO_MANY_ATTEMPTS

    def __init__(self, wait_seconds: float, *, advice: str = "") -> None:
        seconds = max(1, round(wait_seconds))
        super().__init__(f"Too many attempts: try again in {seconds} seconds.{advice}", ("input",))
        self.wait_seconds = wait_seconds


class LinkOver(Expired):
    """A link that was used, has ended, or never was: always the same answer."""

    def __init__(self, advice: str) -> None:
        super().__init__(f"This link is not valid any more. {advice}", ("input", "token"))


class SessionOver(Expired):
    """The refresh token is not the session's latest, or the session has ended."""

    def __init__(self) -> None:
        super().__init__("This session is over: sign in again.", ("input", "refreshToken"))
