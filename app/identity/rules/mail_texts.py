"""The words of identity's mails. Names were checked when they were given: no line ends, no encoded words."""

from datetime import datetime
from urllib.parse import urlsplit

_FOOTER = "\n\nPenguinMails\n{public_url}\n"


def _link(public_url: str, page: str, token: str) -> str:
    """The token stands in the fragment, which browsers send to no server and write into no log."""
    return f"{public_url.rstrip('/')}/{page}#token={token}"


def _closed(text: str, public_url: str) -> str:
    return text + _FOOTER.format(public_url=public_url)


def verification(public_url: str, *, name: str, signed_up_at: datetime, token: str, hours: int) -> tuple[str, str]:
    """Subject and text. Who signed up knows the account's password: the reader must know which sign-up is meant."""
    at = f"{signed_up_at:%Y-%m-%d %H:%M} UTC"
    text = (
        f"Hello {name},\n\nsomeone, perhaps you, signed up with this address at {at}. If that was you, please confirm "
        f"that the address is yours:\n\n{_link(public_url, 'verify-email', token)}\n\n"
        f"Or give this code to the operation verifyEmail:\n\n{token}\n\n"
        f"Both work for {hours} hours. If it was not you, ignore this mail: whoever it was knows the password of that "
        "account, and must not have your address."
    )
    return "Confirm your e-mail address", _closed(text, public_url)


def account_exists(public_url: str, *, name: str) -> tuple[str, str]:
    text = (
        f"Hello {name},\n\nsomeone, perhaps you, just signed up with this address. It has an account already, which "
        "stays as it is; what they made is apart from it, and cannot be confirmed with your address.\n\nSign in with your password. If you forgot it, ask for a new one: "
        f"{public_url.rstrip('/')}/reset-password\n\nIf it was not you, there is nothing to do."
    )
    return "You already have an account", _closed(text, public_url)


def password_reset(public_url: str, *, name: str, token: str, minutes: int) -> tuple[str, str]:
    text = (
        f"Hello {name},\n\nsomeone, perhaps you, asked to set a new password. To do so, open:\n\n"
        f"{_link(public_url, 'reset-password', token)}\n\n"
        f"Or give this code to the operation resetPassword:\n\n{token}\n\n"
        f"Both work once, within {minutes} minutes. Setting a new password signs you out everywhere. "
        "If it was not you, ignore this mail: your password stays as it is."
    )
    return "Set a new password", _closed(text, public_url)


def password_changed(public_url: str, *, name: str) -> tuple[str, str]:
    text = (
        f"Hello {name},\n\nyour password was just changed, and other devices were signed out.\n\n"
        f"If it was not you, set a new one now: {public_url.rstrip('/')}/reset-password"
    )
    return "Your password was changed", _closed(text, public_url)


_TOTP_CHANGES = {
    "enabled": (
        "Two-step sign-in is on",
        "two-step sign-in was just turned on for your account: from now on signing in needs a code of your "
        "authenticator app. Keep the recovery codes where you find them without it.",
    ),
    "disabled": (
        "Two-step sign-in is off",
        "two-step sign-in was just turned off for your account: its password alone signs in now.",
    ),
    "codes_regenerated": (
        "You have new recovery codes",
        "new recovery codes were just made for your account; the earlier ones do not work any more.",
    ),
    "code_used": (
        "A recovery code was used",
        "a recovery code of your account was just used in place of a code of your authenticator app. It does not work "
        "again. When few are left, make new ones.",
    ),
}


def totp_changed(public_url: str, *, name: str, change: str) -> tuple[str, str]:
    """`change` is a value of TotpChange."""
    subject, what = _TOTP_CHANGES[change]
    text = (
        f"Hello {name},\n\n{what}\n\nIf it was not you, set a new password now: {public_url.rstrip('/')}/reset-password"
    )
    return subject, _closed(text, public_url)


def invitation(
    public_url: str, *, invited_by: str, tenant_name: str, token: str, expires_at: datetime
) -> tuple[str, str]:
    until = f"{expires_at:%Y-%m-%d %H:%M} UTC"
    host = urlsplit(public_url).netloc
    text = (
        f"Hello,\n\n{invited_by} invites you to {tenant_name} on PenguinMails ({host}). To accept, open:\n\n"
        f"{_link(public_url, 'accept-invitation', token)}\n\n"
        f"Or give this code to the operation acceptInvitation:\n\n{token}\n\n"
        f"Both work until {until}. If you do not know who this is, ignore this mail."
    )
    return f"Invitation to {tenant_name}", _closed(text, public_url)
