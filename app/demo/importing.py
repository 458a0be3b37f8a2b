"""From a CSV file to a list of contacts: upload, import, and what was rejected and why."""

import csv
import io
import re
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import Any

from app.demo import documents
from app.demo.api import Api
from app.demo.endpoints import Endpoints
from app.demo.live import Subscription, follow
from app.demo.problem import DemoProblem
from app.demo.progress import Figures, View
from app.demo.report import ImportResult

ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
MOST_COLUMNS = 6
QUOTED = re.compile("“[^”]*”")


def check_file(path: Path) -> int:
    """The file's size in bytes. Raises DemoProblem when there is nothing to upload. What the rows mean is for the server to say."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise DemoProblem(f"{path} is not a file. Give the path of a CSV file with one contact a row.")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise DemoProblem(f"There is no file {path}. Give the path of a CSV file with one contact a row.") from error
    except OSError as error:
        raise DemoProblem(f"{path} cannot be read: {error.strerror}.") from error
    if size == 0:
        raise DemoProblem(f"{path} is empty. It needs a row of headers, such as email,first_name, and a contact a row.")
    return size


async def import_contacts(
    api: Api, endpoints: Endpoints, *, path: Path, workspace_id: str, list_id: str, view: View
) -> ImportResult:
    """Raises DemoProblem, with the server's own words, when the file cannot be imported."""
    upload_id = await _upload(api, path, workspace_id=workspace_id, view=view)
    preview = (await api.mutate(documents.PREVIEW_CONTACT_IMPORT, {"uploadId": upload_id}))["preview"]
    view.step(f"Looked at it: {_described(preview)}")
    given = {"workspaceId": workspace_id, "uploadId": upload_id, "listId": list_id}
    started = (await api.mutate(documents.IMPORT_CONTACTS, given))["contactImport"]
    ended = await _followed(api, endpoints, import_id=started["id"], view=view)
    if ended["state"] != "COMPLETED":
        raise DemoProblem(
            f"{path.name} cannot be imported: {ended['problem'] or 'the import was ' + ended['state'].lower() + '.'}"
        )
    result = ImportResult(
        rows_read=ended["rowsRead"],
        rows_imported=ended["rowsImported"],
        rows_rejected=ended["rowsRejected"],
        rows_duplicate=ended["rowsDuplicate"],
    )
    if result.rows_rejected and ended["errorReportUrl"]:
        result.reasons = reasons(await api.download(ended["errorReportUrl"]))
    view.step(
        f"Imported {result.rows_imported:,} of {result.rows_read:,} rows "
        f"({result.rows_rejected:,} rejected, {result.rows_duplicate:,} duplicates)"
    )
    return result


async def _upload(api: Api, path: Path, *, workspace_id: str, view: View) -> str:
    size_bytes = check_file(path)
    created = await api.mutate(documents.CREATE_UPLOAD, {"workspaceId": workspace_id, "fileName": path.name[:255]})
    await api.upload(path, created, size_bytes=size_bytes)
    view.step(f"Uploaded {path.name} ({size_bytes:,} bytes)")
    return str(created["upload"]["id"])


async def _followed(api: Api, endpoints: Endpoints, *, import_id: str, view: View) -> dict[str, Any]:
    """The import's last state, shown on the way."""
    wanted = Subscription(documents.CONTACT_IMPORT_STATUS, {"id": import_id})
    with view.watching():
        async with aclosing(follow(api, endpoints.graphql_ws, wanted)) as events:
            async for data in events:
                latest: dict[str, Any] = data["contactImportStatus"]
                view.show(_figures(latest))
                if latest["state"] in ENDED:
                    return latest
    raise DemoProblem("The server stopped telling about the import before it ended. Run the demo again.")


def _described(preview: dict[str, Any]) -> str:
    """Which column fills which field, in words."""
    names = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
    used = [f"“{each['header'][:40]}” is {each['field']}" for each in preview["columns"] if each["field"]]
    shown = ", ".join(used[:MOST_COLUMNS]) + (", ..." if len(used) > MOST_COLUMNS else "")
    delimiter = names.get(preview["delimiter"], preview["delimiter"])
    return f"{preview['encoding']}, cells between {delimiter}; {shown}"


def _figures(latest: dict[str, Any]) -> Figures:
    states = {
        "read": latest["rowsRead"],
        "imported": latest["rowsImported"],
        "rejected": latest["rowsRejected"],
        "duplicate": latest["rowsDuplicate"],
    }
    return Figures("Importing", done=round(latest["progress"] * 1000), total=1000, states=states)


def reasons(report: str) -> Counter[str]:
    """How often each reason stands in an import's error report: CSV of row, reason, message, and the row's own cells.

    Duplicates stand in it too, and are not counted here. What a message quotes from its row is left out.
    """
    rows = csv.reader(io.StringIO(report))
    next(rows, None)
    return Counter(QUOTED.sub("…", message) for _row, reason, message, *_cells in rows if reason != "duplicate")
