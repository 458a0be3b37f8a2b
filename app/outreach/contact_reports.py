"""The error report of an import as CSV, read page by page. A signed link opens it for an hour, without a sign-in."""

import base64
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.core.caller import Caller
from app.core.errors import Expired, NotFound
from app.core.outages import away_said
from app.core.resources import Resources
from app.core.secrets import Token, decode_key, derived_key
from app.core.use_case import requires
from app.outreach.rules.contact_csv import RowProblem, report_lines
from db.queries.outreach import contact_imports as query
from db.queries.outreach.contact_imports import ContactImport, ImportError

TOKEN_KIND = "report"  # noqa: S105
LINK_LASTS = timedelta(hours=1)
_PAGE = 500

REASONS = {
    RowProblem.NO_ADDRESS: "no e-mail address",
    RowProblem.INVALID_VALUE: "invalid value",
    RowProblem.DUPLICATE: "duplicate",
    RowProblem.TOO_MANY_CELLS: "too many cells",
    RowProblem.TOO_LONG: "too long",
    RowProblem.NOT_TEXT: "not text",
    RowProblem.UNREADABLE: "unreadable",
}


def report_token(resources: Resources, imported: ContactImport) -> str:
    """The token of a link that reads this import's report until an hour from now."""
    until = int((resources.clock.now() + LINK_LASTS).timestamp())
    return str(Token(TOKEN_KIND, imported.tenant_id, imported.id, f"{until:x}.{_mac(resources, imported, until)}"))


def _mac(resources: Resources, owner: "ContactImport | Token", until: int) -> str:
    """HMAC-SHA256 over tenant, import and expiry, with a key of its own."""
    row_id = owner.row_id if isinstance(owner, Token) else owner.id
    key = derived_key(decode_key(resources.settings.token_key.get_secret_value()), "contact import report")
    mac = hmac.digest(key, owner.tenant_id.bytes + row_id.bytes + until.to_bytes(8, "big"), "sha256")
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


@requires(None)
async def import_report(caller: Caller, token: str) -> AsyncIterator[str]:
    """CSV in pieces: row, reason, message, then the cells under the file's own header.

    The token alone opens it. Raises NotFound for one that was never given, Expired, Away; later pieces raise what the
    database raises, and the body then ends early.
    """
    parsed = _checked(caller, token)
    owner = replace(caller, tenant=parsed.tenant_id)
    with away_said("The report cannot be read right now: try again in a few minutes."):
        async with owner.transaction(read_only=True):
            found = await query.import_by_id(parsed.row_id)
    if found is None:
        raise NotFound("contact import")
    return _lines(owner, found)


def _checked(caller: Caller, text: str) -> Token:
    parsed = Token.parse(text, TOKEN_KIND)
    until_text, found, mac = parsed.secret.partition(".") if parsed is not None else ("", "", "")
    until = int(until_text, 16) if found and _is_hexadecimal(until_text) else 0
    if parsed is None or not hmac.compare_digest(_mac(caller.resources, parsed, until), mac):
        raise NotFound("report")
    if caller.now() >= datetime.fromtimestamp(until, UTC):
        raise Expired("This link has expired: ask for the import's errorReportUrl again.")
    return parsed


def _is_hexadecimal(text: str) -> bool:
    return 0 < len(text) <= 12 and all(character in "0123456789abcdef" for character in text)


async def _lines(owner: Caller, imported: ContactImport) -> AsyncIterator[str]:
    yield report_lines([["row", "reason", "message", *imported.format["header"]]])
    after, has_more = 0, True
    while has_more:
        async with owner.transaction(read_only=True):
            page = await query.errors_of_import(imported.id, first=_PAGE, after=after)
        if page.items:
            yield report_lines([_cells(error) for error in page.items])
            after = page.items[-1].row_number
        has_more = page.has_next


def _cells(error: ImportError) -> list[object]:
    return [error.row_number, REASONS[RowProblem(error.problem)], error.message, *error.cells]


def has_report(imported: ContactImport) -> bool:
    """Whether any row stands in the report."""
    return imported.rows_rejected + imported.rows_duplicate > 0


def report_path(resources: Resources, imported: ContactImport) -> str:
    """Below the public URL."""
    return f"/contact-imports/{report_token(resources, imported)}/errors.csv"
