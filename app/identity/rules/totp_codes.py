"""Time-based one-time passwords (RFC 6238: SHA-1, six digits, steps of 30 seconds) and the form of recovery codes."""

import hmac
import io
import re
from datetime import datetime

import pyotp
import segno

STEP_SECONDS = 30
SKEW_STEPS = 1  # RFC 6238, section 5.2: at most one step for the time that a person and the network take
ISSUER = "PenguinMails"
RECOVERY_CODES = 10
# 16 characters of base32 are 80 random bits: too many to be found from a SHA-256, so argon2 is not needed.
RECOVERY_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
RECOVERY_CHARACTERS = 16
_LONGEST_TYPED = 64
_SEPARATORS = re.compile(r"[\s-]+")


def step_at(moment: datetime) -> int:
    """The number of the time step since 1970."""
    return int(moment.timestamp()) // STEP_SECONDS


def typed_code(text: str) -> str:
    """As it is compared: people type blanks and hyphens, and capitals. Empty for what can be no code of ours."""
    if len(text) > _LONGEST_TYPED or not text.isascii():
        return ""
    return _SEPARATORS.sub("", text).lower()


def matching_steps(secret: str, code: str, *, at: datetime) -> list[int]:
    """The steps around `at` whose code it is, newest first: almost always none or one. `secret` is in base32."""
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    now = step_at(at)
    steps = range(now + SKEW_STEPS, now - SKEW_STEPS - 1, -1)
    typed = code.encode()
    return [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), typed)]


def recovery_code(characters: str) -> str:
    """As it is shown: in groups of four."""
    return "-".join(characters[start : start + 4] for start in range(0, len(characters), 4))


def provisioning_uri(secret: str, account: str) -> str:
    """What authenticator apps read: otpauth://totp/PenguinMails:<account>?secret=..."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=account, issuer_name=ISSUER)


def qr_svg(text: str) -> str:
    """A QR code (ISO/IEC 18004) of the text, as a whole SVG document."""
    image = io.BytesIO()
    segno.make(text, error="m", micro=False).save(image, kind="svg", xmldecl=False, nl=False, scale=4)
    return image.getvalue().decode()
