"""The two headers of one-click unsubscribe (RFC 2369, RFC 8058); both are signed by DKIM."""

import re
from dataclasses import dataclass

from app.outreach.rules.header_safety import UnsafeHeader, ascii_address, check_value

POST_VALUE = "List-Unsubscribe=One-Click"
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+")


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Where a recipient opts out: `url` takes the one-click POST; `mailto` is an address (not a URI), or None.

    Receivers demand https; http is for a local trial, where the public URL has no certificate.
    """

    url: str
    mailto: str | None = None


def unsubscribe_lines(unsubscribe: Unsubscribe) -> list[str]:
    """The header lines `List-Unsubscribe` and `List-Unsubscribe-Post`, folded. Raises UnsafeHeader."""
    url = check_value(unsubscribe.url, field="unsubscribeUrl")
    if _URL.fullmatch(url) is None or "<" in url or ">" in url:
        raise UnsafeHeader("The unsubscribeUrl is not an http(s) URL of ASCII characters.", ("unsubscribeUrl",))
    value = f"<{url}>"
    if unsubscribe.mailto is not None:
        value += f",\r\n <mailto:{ascii_address(unsubscribe.mailto, field='unsubscribeMailto')}>"
    return [f"List-Unsubscribe: {value}", f"List-Unsubscribe-Post: {POST_VALUE}"]
