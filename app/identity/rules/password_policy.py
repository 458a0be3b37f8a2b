"""Which passwords are good enough (NIST SP 800-63B section 3.1.1): long, not common, not the address; no other rules."""

import re
import unicodedata

from app.core.errors import DomainError, ErrorCode
from app.identity.rules.common_passwords import COMMON_PASSWORDS, COMMON_WORDS

SHORTEST, LONGEST = 12, 256
FEWEST_DIFFERENT = 5
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_SWAPPED = str.maketrans("@430157$!", "aaeoistsi")


class WeakPassword(DomainError):
    """Too short, too long, common, or made of the address."""

    code = ErrorCode.WEAK_PASSWORD


def normalized_password(password: str) -> str:
    """NFKC, as SP 800-63B wants it: the same keys give the same password on every keyboard and system."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, *, address: str, path: tuple[str, ...] = ("input", "password")) -> str:
    """The normalised password, ready to be hashed. Raises WeakPassword with a sentence that says what to do."""
    if len(password) > LONGEST * 4:
        raise WeakPassword(f"A password has at most {LONGEST} characters.", path)
    normal = normalized_password(password)
    if len(normal) < SHORTEST:
        raise WeakPassword(f"Choose a password of at least {SHORTEST} characters: a few words make a good one.", path)
    if len(normal) > LONGEST:
        raise WeakPassword(f"A password has at most {LONGEST} characters.", path)
    folded = normal.casefold()
    if _is_address(folded, address.casefold()):
        raise WeakPassword("Choose a password that is not made of your address.", path)
    if len(set(folded)) < FEWEST_DIFFERENT or _is_common(folded) or _is_run(folded):
        raise WeakPassword("This password is among the first that attackers try: choose another.", path)
    return normal


def _is_address(folded: str, address: str) -> bool:
    local_part, _, domain = address.partition("@")
    bare = _letters(folded)
    names = {_letters(address), _letters(local_part), _letters(domain), _letters(domain.rpartition(".")[0])}
    return address in folded or bare in names - {""}


def _is_common(folded: str) -> bool:
    if folded in COMMON_PASSWORDS or folded.translate(_SWAPPED) in COMMON_PASSWORDS:
        return True
    stripped = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    return any(_is_word(word) for word in (stripped, stripped.translate(_SWAPPED), _letters(folded)))


def _is_word(text: str) -> bool:
    """A common word, or one said twice or more: passwordpassword."""
    return any(text == word * times for word in COMMON_WORDS for times in (1, 2, 3))


def _is_run(folded: str) -> bool:
    """Mostly keys in a row: two thirds of its neighbours stand side by side in the alphabet or on the keyboard."""
    rows = _ROWS + tuple(row[::-1] for row in _ROWS)
    pairs = [folded[at : at + 2] for at in range(len(folded) - 1)]
    side_by_side = sum(any(pair in row for row in rows) for pair in pairs)
    return side_by_side * 3 >= len(pairs) * 2


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())
