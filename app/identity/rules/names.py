"""Names that people give: of themselves, tenants and workspaces. They end up in mail headers and on screens."""

import re
import unicodedata

from app.core.errors import Invalid, Required, TooLong

LONGEST_NAME = 120
LONGEST_SLUG = 63  # a label of the DNS, so that a workspace can have a host name one day
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def read_name(text: str, path: tuple[str, ...], *, what: str = "name", longest: int = LONGEST_NAME) -> str:
    """Normalised (NFC), spaces collapsed. Raises Required, TooLong, and Invalid for what could forge a header or a line.

    An encoded word (`=?`, RFC 2047) in a header can carry line ends past checks for CR and LF.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    name = re.sub(r" {2,}", " ", name)
    if not name:
        raise Required(f"Give a {what}.", path)
    if len(name) > longest:
        raise TooLong(f"A {what} has at most {longest} characters; this one has {len(name)}.", path)
    if "=?" in name or any(_is_unprintable(character) for character in name):
        raise Invalid(f"A {what} holds letters, digits, punctuation and spaces only, and no `=?`.", path)
    return name


def read_lines(text: str, path: tuple[str, ...], *, what: str, longest: int) -> str:
    """Several lines, such as a postal address: line ends as LF, each line trimmed, empty lines dropped."""
    lines = (line.strip() for line in unicodedata.normalize("NFC", text).splitlines())
    kept = [line for line in lines if line]
    joined = "\n".join(kept)
    if len(joined) > longest:
        raise TooLong(f"A {what} has at most {longest} characters; this one has {len(joined)}.", path)
    if any(_is_unprintable(character) for line in kept for character in line):
        raise Invalid(f"A {what} holds letters, digits, punctuation and spaces only.", path)
    return joined


def read_slug(text: str, path: tuple[str, ...]) -> str:
    """Lower-case letters, digits and single hyphens between. Raises Invalid."""
    if len(text) > LONGEST_SLUG or not _SLUG.fullmatch(text):
        raise Invalid(
            f"A slug is up to {LONGEST_SLUG} lower-case letters and digits, with single hyphens between them.", path
        )
    return text


def slug_of(name: str, *, number: int = 1) -> str:
    """A slug made from a name; `number` from 2 on tells equal ones apart: `acme`, `acme-2`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    ending = "" if number == 1 else f"-{number}"
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: LONGEST_SLUG - len(ending)].strip("-")
    return (slug or "workspace") + ending


def _is_unprintable(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and character not in ("\u200d", "\u200c")
