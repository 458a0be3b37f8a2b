"""What a person may give as a mailbox's settings."""

from app.core.errors import Invalid, Required, TooLong
from app.outreach.rules.email_addresses import EmailAddress, InvalidEmailAddress, normalise_address
from app.outreach.rules.header_safety import UnsafeHeader, ascii_address, check_value

LARGEST_CAP = 100_000
LONGEST_GAP_SECONDS = 86_400
_LONGEST_NAME = 120
_LONGEST_USERNAME = 320
_LONGEST_PASSWORD = 1_024


def checked_address(text: str) -> EmailAddress:
    """Raises InvalidEmailAddress or UnsafeHeader at input.address."""
    try:
        address = normalise_address(text)
        ascii_address(address.address, field="address")
    except (InvalidEmailAddress, UnsafeHeader) as error:
        raise InvalidEmailAddress(error.message, ("input", "address")) from error
    return address


def check_display_name(name: str) -> None:
    """It becomes part of the From header. Raises Invalid or TooLong."""
    if len(name) > _LONGEST_NAME:
        raise TooLong(f"The display name may have at most {_LONGEST_NAME} characters.", ("input", "displayName"))
    try:
        check_value(name, field="displayName")
    except UnsafeHeader as error:
        raise Invalid(error.message, ("input", "displayName")) from error


def check_login(username: str, password: str) -> None:
    """Raises Required, TooLong or Invalid."""
    if username and not password:
        raise Required("Give the mailbox's password.", ("input", "smtpPassword"))
    if len(username) > _LONGEST_USERNAME:
        raise TooLong(f"The user name may have at most {_LONGEST_USERNAME} characters.", ("input", "smtpUsername"))
    if len(password) > _LONGEST_PASSWORD:
        raise TooLong(f"The password may have at most {_LONGEST_PASSWORD} characters.", ("input", "smtpPassword"))
    for field, value in (("smtpUsername", username), ("smtpPassword", password)):
        if any(ord(letter) < 32 or letter == "\x7f" for letter in value):
            raise Invalid("Control characters cannot be part of it.", ("input", field))


def check_limits(daily_cap: int, minimum_gap_seconds: int) -> None:
    """Raises Invalid."""
    if not 1 <= daily_cap <= LARGEST_CAP:
        raise Invalid(f"The daily cap is a number from 1 to {LARGEST_CAP}.", ("input", "dailyCap"))
    if not 0 <= minimum_gap_seconds <= LONGEST_GAP_SECONDS:
        raise Invalid(
            f"The minimum gap is a number of seconds from 0 to {LONGEST_GAP_SECONDS}.", ("input", "minimumGapSeconds")
        )
