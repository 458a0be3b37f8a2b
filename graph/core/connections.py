"""Lists are connections: pages by keyset, `first` and `after`, cursors that clients only hand back."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar
from uuid import UUID

import strawberry

from app.core.errors import BadInput
from graph.core.ids import url_safe

DEFAULT_FIRST, MOST = 25, 100

First = Annotated[int, strawberry.argument(description="How many items at most, 1 to 100; 25 when left out.")]
After = Annotated[
    str | None, strawberry.argument(description="A cursor of an earlier page; the answer goes on after it.")
]

T = TypeVar("T")
Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


class PageOf(Protocol[Row_co]):
    """What a list query returns (db.core.paging.Page has this shape)."""

    @property
    def items(self) -> Sequence[Row_co]: ...
    @property
    def has_next(self) -> bool: ...


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more items follow this page.")
    has_previous_page: bool = strawberry.field(description="Always false: lists are read forwards only.")
    start_cursor: str | None = strawberry.field(description="The first item's cursor, null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The last item's cursor: hand it to `after` for more.")


@strawberry.type(description="An item and its place in the list.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The item.")
    cursor: str = strawberry.field(description="The item's place, for `after`.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The items of this page, in order.")
    page_info: PageInfo = strawberry.field(description="Whether more follow, and from where to go on.")


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a list is wanted, and after which key."""

    first: int
    text: str | None

    @property
    def after(self) -> UUID | None:
        """The key as a row id. Raises BadInput when the cursor is of another list."""
        if self.text is None:
            return None
        try:
            return UUID(self.text)
        except ValueError:
            raise _bad_cursor() from None


def window(first: int, after: str | None) -> Window:
    """Checks the arguments of a connection. Raises BadInput."""
    if not 1 <= first <= MOST:
        raise BadInput(f"Ask for 1 to {MOST} items: `first` was {first}.")
    return Window(first, None if after is None else read_cursor(after))


def connection(
    page: PageOf[Row], of: Callable[[Row], T], *, cursor: Callable[[Row], str] | None = None
) -> "Connection[T]":
    """A page of rows as a connection; `cursor` gives a row's key as text where the order is not by id."""
    edges = [Edge(node=of(row), cursor=write_cursor(cursor(row) if cursor else _key(row))) for row in page.items]
    info = PageInfo(
        has_next_page=page.has_next,
        has_previous_page=False,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=edges, page_info=info)


Part = tuple[UUID, Window]
"""A nested list as a loader's key: the row that has it, and how much of it is wanted."""


async def load_parts(
    parts: Sequence[Part], load: Callable[[list[UUID], Window], Awaitable[Sequence[PageOf[Row]]]]
) -> list[PageOf[Row]]:
    """The pages of many rows' nested lists, for a loader: `load(row ids, window)` is called once for each window."""
    by_window: dict[Window, list[UUID]] = {}
    for row_id, wanted in parts:
        by_window.setdefault(wanted, []).append(row_id)
    pages: dict[Part, PageOf[Row]] = {}
    for wanted, row_ids in by_window.items():
        loaded = await load(row_ids, wanted)
        pages.update(zip(((row_id, wanted) for row_id in row_ids), loaded, strict=True))
    return [pages[part] for part in parts]


def empty_connection() -> "Connection[Any]":
    """The answer for a list under an object that is not there, or not the caller's."""
    return Connection(
        edges=[],
        page_info=PageInfo(has_next_page=False, has_previous_page=False, start_cursor=None, end_cursor=None),
    )


def bounded(reason: str, *, points: int = 0) -> dict[str, Any]:
    """For `strawberry.field(metadata=bounded("a person belongs to few tenants"))`: a list that needs no connection.

    `points`: what it costs at most, where that is more than one question to the database.
    """
    return {"bounded": reason, "points": points}


def is_bounded(field: Any) -> bool:
    """Whether the strawberry field was declared with `bounded`."""
    return bool((getattr(field, "metadata", None) or {}).get("bounded"))


def points_of(field: Any) -> int:
    """The `points` that the strawberry field was declared with; 0: it costs what every field does."""
    return int((getattr(field, "metadata", None) or {}).get("points", 0))


def write_cursor(key: str) -> str:
    return url_safe(b"c:" + key.encode())


def read_cursor(cursor: str) -> str:
    """The key inside a cursor. Raises BadInput when write_cursor cannot have made it."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except (UnicodeError, binascii.Error):
        raise _bad_cursor() from None
    if not raw.startswith("c:") or write_cursor(raw[2:]) != cursor:
        raise _bad_cursor()
    return raw[2:]


def _key(row: Any) -> str:
    return str(row.id)


def _bad_cursor() -> BadInput:
    return BadInput("`after` is no cursor of this list: hand back an `endCursor` or `cursor` as it was given.")
