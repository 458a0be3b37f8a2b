"""A small noun of our own to test the server with: notes. Each note is a row of the audit trail, so that it is real."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from app.audit.trail import audit
from app.core.caller import Caller
from app.core.errors import DomainError, ErrorCode, NotFound, Problems, Required, TooLong
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.use_case import requires
from db.core.paging import Page
from db.core.transaction import current
from graph.context import Context, Info
from graph.core.build import PublicSchema, build_schema, root
from graph.core.connections import After, Connection, First, connection, window
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node, NodeQueries
from graph.core.query import query
from graph.core.scalars import JsonObject
from graph.core.subscription import subscription

LONGEST = 40


@dataclass
class Ticking:
    """What the ticking subscription has seen, for tests that look into it."""

    opened: int = 0
    closed: int = 0
    seconds: float = 0.02
    ticked: asyncio.Event = field(default_factory=asyncio.Event)


TICKING = Ticking()


@dataclass(frozen=True, slots=True)
class NoteRow:
    id: UUID
    text: str
    created_at: datetime


def _row(record: Any) -> NoteRow:
    details = record["details"]
    return NoteRow(record["object_id"], details["text"], datetime.fromisoformat(details["at"]))


class CursorExpired(DomainError):
    code = ErrorCode.CURSOR_EXPIRED


# ---- use cases
@requires(Permission.TENANT_READ)
async def list_notes(caller: Caller, *, first: int, after: UUID | None) -> Page[NoteRow]:
    async with caller.transaction(read_only=True):
        rows = await current().fetch(
            "SELECT object_id, details FROM audit_log WHERE tenant_id = $1 AND action = 'note.add' "
            "AND ($2::uuid IS NULL OR object_id < $2) ORDER BY object_id DESC LIMIT $3",
            current().tenant_id,
            after,
            first + 1,
        )
    return Page.cut([_row(row) for row in rows], first)


@requires(Permission.TENANT_READ)
async def notes_by_ids(caller: Caller, ids: Sequence[UUID]) -> list[NoteRow | None]:
    async with caller.transaction(read_only=True):
        rows = await current().fetch(
            "SELECT object_id, details FROM audit_log "
            "WHERE tenant_id = $1 AND action = 'note.add' AND object_id = ANY($2::uuid[])",
            current().tenant_id,
            list(ids),
        )
    found = {row["object_id"]: _row(row) for row in rows}
    return [found.get(each) for each in ids]


@requires(Permission.TENANT_UPDATE)
async def write_note(caller: Caller, text: str, *, crash: str | None = None) -> NoteRow:
    problems: list[DomainError] = []
    if not text:
        problems.append(Required("Write something.", ("input", "text")))
    if len(text) > LONGEST:
        problems.append(TooLong(f"A note has at most {LONGEST} characters.", ("input", "text")))
    if problems:
        raise Problems(problems)
    note = NoteRow(new_id(), text, caller.now())
    async with caller.transaction():
        await audit(
            caller,
            "note.add",
            object_type="Note",
            object_id=note.id,
            details={"text": text, "at": note.created_at.isoformat()},
        )
        if crash == "before commit":
            raise RuntimeError("a secret detail of our own: password=hunter2")
    if crash == "after commit":
        raise RuntimeError("crashed after the commit")
    return note


@requires(None)
async def say_hello(caller: Caller, name: str) -> str:
    return f"Hello, {name}."


@requires(Permission.TENANT_READ)
async def tick(caller: Caller) -> None:
    """Stands for the use case behind the subscription."""


# ---- types
@strawberry.type(description="A note.")
class Note(Node):
    text: str = strawberry.field(description="What it says.")
    created_at: datetime = strawberry.field(description="When it was written.")

    @staticmethod
    def of(row: NoteRow) -> "Note":
        return Note(id=global_id("Note", row.id), text=row.text, created_at=row.created_at)

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Note | None]":
        return [Note.of(row) if row else None for row in await notes_by_ids(context.caller, ids)]

    @query(uses=list_notes, description="Other notes.")
    async def others(self, info: Info, first: First = 25, after: After = None) -> "Connection[Note]":
        page = window(first, after)
        return connection(await list_notes(info.context.caller, first=page.first, after=page.after), Note.of)


@strawberry.type(description="A tick.")
class Tick:
    number: int = strawberry.field(description="Counts from one.")
    role: str | None = strawberry.field(description="The role that the caller has by now.")
    workspaces: int = strawberry.field(description="How many workspaces the caller has a role in by now.")

    @query(uses=tick, description="Twice the number, worked out anew each time.")
    async def doubled(self) -> int:
        return 2 * self.number


# ---- inputs and payloads
@strawberry.input(description="What addNote needs.")
class AddNoteInput(IdempotentInput):
    text: str = strawberry.field(description="What it says.")
    crash: str | None = strawberry.field(default=None, description="When to crash, for tests.")


@strawberry.type(description="The answer of addNote.")
class AddNotePayload(Payload):
    note: Note | None = strawberry.field(default=None, description="The new note.")
    length: int | None = strawberry.field(default=None, description="Its length.")


@strawberry.input(description="What greet needs.")
class GreetInput:
    name: str = strawberry.field(description="Whom.")


@strawberry.type(description="The answer of greet.")
class GreetPayload(Payload):
    greeting: str | None = strawberry.field(default=None, description="A friendly word.")


# ---- queries, mutations, subscriptions
@strawberry.type
class NoteQueries:
    @query(uses=list_notes, description="The tenant's notes, newest first.")
    async def notes(self, info: Info, first: First = 25, after: After = None) -> Connection[Note]:
        page = window(first, after)
        return connection(await list_notes(info.context.caller, first=page.first, after=page.after), Note.of)

    @query(uses=list_notes, description="One note, or null.")
    async def note(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Note | None:
        (row,) = await notes_by_ids(info.context.caller, [local_id(id, "Note")])
        if row is None:
            raise NotFound("note")
        return Note.of(row)

    @query(uses=list_notes, description="Notes under a thing that is never there.")
    async def notes_under(self, info: Info, first: First = 25, after: After = None) -> Connection[Note]:
        raise NotFound("thing")

    @query(uses=list_notes, description="Fails as the argument says.")
    async def fail(
        self, info: Info, how: Annotated[str, strawberry.argument(description="`crash`, `leaf`, `null` or `domain`.")]
    ) -> int:
        if how == "domain":
            raise TooLong("Too long for a query.")
        if how == "crash":
            raise RuntimeError("a secret detail of our own: password=hunter2")
        return {"leaf": 1 << 40, "null": None}.get(how, 1)  # type: ignore[return-value]

    @query(uses=list_notes, description="What was given, given back.")
    async def echo(
        self,
        info: Info,
        text: Annotated[str | None, strawberry.argument(description="Any text.")] = None,
        values: Annotated[JsonObject | None, strawberry.argument(description="Any object.")] = None,
        at: Annotated[datetime | None, strawberry.argument(description="Any moment.")] = None,
    ) -> JsonObject | None:
        return JsonObject({"text": text, "values": values, "at": at})


@strawberry.type
class NoteMutations:
    @mutation(uses=write_note, description="Writes a note.")
    async def add_note(
        self, info: Info, input: Annotated[AddNoteInput, strawberry.argument(description="The note.")]
    ) -> AddNotePayload:
        row = await write_note(info.context.caller, input.text, crash=input.crash)
        return AddNotePayload(note=Note.of(row), length=len(row.text))

    @mutation(uses=say_hello, description="Greets anybody.", anonymous=True)
    async def greet(
        self, info: Info, input: Annotated[GreetInput, strawberry.argument(description="Whom to greet.")]
    ) -> GreetPayload:
        return GreetPayload(greeting=await say_hello(info.context.caller, input.name))


@strawberry.type
class NoteSubscriptions:
    @subscription(uses=tick, description="Ticks until the count is reached, or for good.")
    async def ticks(
        self,
        info: Info,
        count: Annotated[int | None, strawberry.argument(description="How many.")] = None,
        fail: Annotated[str | None, strawberry.argument(description="How to end: `domain` or `crash`.")] = None,
    ) -> AsyncIterator[Tick]:
        async with aclosing(_ticks(info, count)) as ticks:
            async for each in ticks:
                yield each
        if fail == "domain":
            raise CursorExpired("That cursor is older than what is kept: start again.")
        if fail == "crash":
            raise RuntimeError("a secret detail of our own: password=hunter2")


async def _ticks(info: Info, count: int | None) -> AsyncGenerator[Tick, None]:
    TICKING.opened += 1
    try:
        number = 0
        while count is None or number < count:
            number += 1
            TICKING.ticked.set()
            caller = info.context.caller
            yield Tick(number=number, role=caller.role, workspaces=len(caller.workspaces))
            await asyncio.sleep(TICKING.seconds)
    finally:
        await asyncio.sleep(0)
        TICKING.closed += 1


def note_schema() -> PublicSchema:
    return build_schema(
        query=root("Query", "Reads.", [NodeQueries, NoteQueries]),
        mutation=root("Mutation", "Writes.", [NoteMutations]),
        subscription=root("Subscription", "Watches.", [NoteSubscriptions]),
    )
