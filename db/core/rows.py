"""Rows are inert values: frozen dataclasses whose fields are, in order, the columns that a query selects."""

from dataclasses import fields
from typing import Any, TypeVar
from uuid import UUID

from db.core.paging import Page
from db.core.transaction import current

Row = TypeVar("Row")


def columns(row: type[Any], alias: str = "") -> str:
    """The select list of a row class, such as `c.id, c.name`."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + field.name for field in fields(row))


async def all_rows(row: type[Row], sql: str, *args: object) -> list[Row]:
    """Every row of the answer, as `row`; the select list must be that of columns(row)."""
    return [row(*record) for record in await current().fetch(sql, *args)]


async def one_row(row: type[Row], sql: str, *args: object) -> Row | None:
    """The first row of the answer, or None."""
    record = await current().fetchrow(sql, *args)
    return None if record is None else row(*record)


async def pages_by_owner(row: type[Row], sql: str, *args: object, first: int) -> dict[UUID, Page[Row]]:
    """One page of `first` per owner; the first column is the owner's id, the others are those of `row`, in page order.

    The statement gives first + 1 rows of each owner, as Page.cut wants. Owners without rows are left out.
    """
    found: dict[UUID, list[Row]] = {}
    for owner, *values in await current().fetch(sql, *args):
        found.setdefault(owner, []).append(row(*values))
    return {owner: Page.cut(items, first) for owner, items in found.items()}


async def insert_row(table: str, row: Any) -> None:
    """Inserts a whole row; its fields are the table's columns. Raises asyncpg.UniqueViolationError as PostgreSQL does."""
    names = [field.name for field in fields(row)]
    places = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    await current().execute(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", *(getattr(row, name) for name in names)
    )
