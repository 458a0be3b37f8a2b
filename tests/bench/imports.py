"""Rows a second of an import, from the order to the last row, against COPY of the same rows into a bare table."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from statistics import median

import asyncpg
import orjson

from app.core.ids import new_id
from app.outreach import contact_lists, uploads
from app.outreach.contact_imports import ImportOrder, contact_imports_by_ids, import_contacts
from db.core.bootstrap import database_url
from db.core.migration import OWNER
from tests.bench.deployment import Deployment, Running
from tests.bench.figures import Figure, median_ratio
from tests.bench.seeding import Seeded, seed_tenant

ROUNDS = 3
ROWS = 60_000
PIECE = 64 * 1024
GIVE_UP_SECONDS = 180.0


def rows_of(round_number: int) -> list[tuple[str, str, str, str, str]]:
    """Address, first name, last name, company and one field of its own."""
    return [
        (
            f"person{n}.r{round_number}@company{n % 997}.example",
            f"Ada{n % 71}",
            f"Lovelace{n % 89}",
            f"Company {n % 997}",
            f"Town {n % 53}",
        )
        for n in range(ROWS)
    ]


def csv_of(rows: list[tuple[str, str, str, str, str]]) -> bytes:
    lines = ["E-mail,First name,Last name,Company,City", *(",".join(row) for row in rows)]
    return "\n".join(lines).encode() + b"\n"


async def measure_imports(deployed: Deployment) -> list[Figure]:
    """Each round imports the same number both ways, one after the other."""
    ours, theirs = [], []
    owner = database_url(
        deployed.servers.admin_url, deployed.databases["oltp"], role=OWNER, password=deployed.servers.passwords[OWNER]
    )
    async with deployed.opened() as resources:
        seeded = await seed_tenant(resources, "imports")
        with deployed.command("relay") as relay, deployed.command("work") as work:
            for number in range(ROUNDS):
                rows = rows_of(number)
                theirs.append(await _copied(owner, seeded, rows))
                ours.append(await _imported(seeded, csv_of(rows), parts=[relay, work]))
    detail = (
        f"{median(ours):,.0f} against {median(theirs):,.0f} rows a second: {ROWS:,} rows of 5 columns. Ours parses CSV, "
        "checks addresses, finds duplicates and fills a list, in one worker; COPY brings finished rows over the wire "
        "into a table with the same columns and indexes, without walls"
    )
    return [Figure("importToCopy", "Import of a CSV / bare COPY", median_ratio(ours, theirs), "", ">= 0.33", detail)]


async def _copied(url: str, seeded: Seeded, rows: list[tuple[str, str, str, str, str]]) -> float:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE bench_contacts (LIKE contacts INCLUDING INDEXES)")
        source = _copy_source(seeded, rows)
        started = time.perf_counter()
        await connection.copy_to_table("bench_contacts", source=source, format="csv")
        rate = len(rows) / (time.perf_counter() - started)
        await connection.execute("DROP TABLE bench_contacts")
    finally:
        await connection.close()
    return rate


def _copy_source(seeded: Seeded, rows: list[tuple[str, str, str, str, str]]) -> io.BytesIO:
    """Every column of `contacts`, in its order, as COPY reads CSV."""
    tenant, workspace, now = seeded.caller.tenant_id, seeded.workspace_id, seeded.caller.now().isoformat()
    lines = []
    for email, first, last, company, city in rows:
        fields = orjson.dumps({"city": city}).decode().replace('"', '""')
        lines.append(
            f'{tenant},{new_id()},{workspace},{email},{email},{first},{last},{company},"{fields}",active,,1,{now},{now}'
        )
    return io.BytesIO("\n".join(lines).encode() + b"\n")


async def _imported(seeded: Seeded, csv: bytes, *, parts: list[Running]) -> float:
    caller = seeded.caller
    made = await uploads.create_upload(caller, seeded.workspace_id, file_name="bench.csv")
    await uploads.receive_upload(caller, str(made.token), _pieces(csv))
    target = await contact_lists.create_contact_list(caller, seeded.workspace_id, f"Bench {new_id()}")
    started = time.perf_counter()
    order = ImportOrder(upload_id=made.upload.id, list_id=target.id)
    ordered = await import_contacts(caller, seeded.workspace_id, order)
    while True:
        (found,) = await contact_imports_by_ids(caller, [ordered.id])
        assert found is not None
        seconds = time.perf_counter() - started
        if found.finished_at is not None:
            break
        for part in parts:
            part.check()
        if seconds > GIVE_UP_SECONDS:
            raise RuntimeError(
                f"the import stands at {found.rows_read} rows.\n" + "\n".join(p.last_words() for p in parts)
            )
        await asyncio.sleep(0.02)
    if found.rows_created != ROWS:
        raise RuntimeError(f"{found.rows_created} of {ROWS} rows became contacts; {found.state}: {found.failure}")
    return ROWS / seconds


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
