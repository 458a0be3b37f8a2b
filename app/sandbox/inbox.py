"""What the sandbox got, attempt by attempt: one file of JSON lines, with an index in memory.

Every attempt to hand a mail over is one record, also the refused ones, so that what a sender believes can be compared
with what was received. A record is in the file before its reply goes out.
"""

import base64
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import orjson


class Disposition(StrEnum):
    """What became of an attempt. TAKEN_SILENTLY: the mail is here, and its sender never heard so."""

    ACCEPTED = "ACCEPTED"
    TAKEN_SILENTLY = "TAKEN_SILENTLY"
    DEFERRED = "DEFERRED"
    REFUSED = "REFUSED"
    DROPPED = "DROPPED"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `size_bytes` is 0 where no mail was transmitted; `tenant_id` is what a Message-ID of ours says."""

    received_at: datetime
    disposition: Disposition
    behaviour: str
    reply: str
    user: str
    sender: str
    recipients: tuple[str, ...]
    message_id: str | None = None
    tenant_id: str | None = None
    subject: str | None = None
    tls: str | None = None
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """An attempt at its place: `position` counts from 1; the source is read from the file when it is asked for."""

    position: int
    attempt: Attempt
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list; None means any."""

    recipient: str | None = None
    sender: str | None = None
    user: str | None = None
    message_id: str | None = None
    tenant_id: str | None = None
    disposition: str | None = None

    def keeps(self, attempt: Attempt) -> bool:
        return (
            (self.recipient is None or self.recipient.lower() in map(str.lower, attempt.recipients))
            and (self.sender is None or self.sender.lower() == attempt.sender.lower())
            and (self.user is None or self.user.lower() == attempt.user.lower())
            and (self.message_id is None or self.message_id.strip("<>") == (attempt.message_id or "").strip("<>"))
            and (self.tenant_id is None or self.tenant_id == attempt.tenant_id)
            and (self.disposition is None or self.disposition == attempt.disposition)
        )


COUNTED_BY = ("sender", "recipient", "user", "messageId", "disposition", "behaviour", "tenant")


class Inbox:
    """Appends and lists. One process writes a file at a time."""

    def __init__(self, file: Path) -> None:
        """Opens or makes the file and reads its index. Half a last line, left by a crash, is cut off. Raises OSError."""
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._stored: list[Stored] = []
        self._by_recipient: dict[str, list[Stored]] = defaultdict(list)
        self._by_message_id: dict[str, list[Stored]] = defaultdict(list)
        self._end = 0
        self._read_index()

    def __len__(self) -> int:
        return len(self._stored)

    def append(self, attempt: Attempt, source: bytes | None = None) -> Stored:
        """Keeps an attempt; it is in the file when this returns (it survives this process, not the machine)."""
        fields = asdict(attempt)
        fields["source"] = None if source is None else base64.b64encode(source).decode("ascii")
        line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
        written = os.pwrite(self._descriptor, line, self._end)
        if written != len(line):
            raise OSError(f"the sandbox's inbox took {written} of {len(line)} bytes: is the disk full?")
        return self._index(attempt, len(line))

    def listed(self, chosen: Filter, *, after: int = 0, first: int = 100) -> tuple[list[Stored], bool]:
        """Up to `first` attempts after a position, oldest first, and whether there are more."""
        found: list[Stored] = []
        for stored in self._candidates(chosen, after):
            if stored.position > after and chosen.keeps(stored.attempt):
                if len(found) == first:
                    return found, True
                found.append(stored)
        return found, False

    def at(self, position: int) -> Stored | None:
        return self._stored[position - 1] if 0 < position <= len(self._stored) else None

    def source(self, stored: Stored) -> bytes | None:
        """The mail as it was transmitted, without dot stuffing; None where none was."""
        fields = orjson.loads(os.pread(self._descriptor, stored.length, stored.offset))
        return None if fields["source"] is None else base64.b64decode(fields["source"])

    def counts(self, by: str, chosen: Filter) -> dict[str, int]:
        """How many attempts for each value of one of COUNTED_BY. Raises ValueError for anything else."""
        if by not in COUNTED_BY:
            raise ValueError(f"by is one of {', '.join(COUNTED_BY)}")
        counter: Counter[str] = Counter()
        for stored in self._candidates(chosen, 0):
            if chosen.keeps(stored.attempt):
                counter.update(_values(stored.attempt, by))
        return dict(counter)

    def close(self) -> None:
        os.close(self._descriptor)

    def _candidates(self, chosen: Filter, after: int) -> Sequence[Stored]:
        if chosen.message_id is not None:
            return self._by_message_id.get(chosen.message_id.strip("<>"), [])
        if chosen.recipient is not None:
            return self._by_recipient.get(chosen.recipient.lower(), [])
        return self._stored[after:]

    def _index(self, attempt: Attempt, length: int) -> Stored:
        stored = Stored(position=len(self._stored) + 1, attempt=attempt, offset=self._end, length=length)
        self._end += length
        self._stored.append(stored)
        for recipient in attempt.recipients:
            self._by_recipient[recipient.lower()].append(stored)
        if attempt.message_id is not None:
            self._by_message_id[attempt.message_id.strip("<>")].append(stored)
        return stored

    def _read_index(self) -> None:
        with os.fdopen(os.dup(self._descriptor), "rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                fields = orjson.loads(line)
                fields.pop("source")
                fields["received_at"] = datetime.fromisoformat(fields["received_at"])
                fields["disposition"] = Disposition(fields["disposition"])
                fields["recipients"] = tuple(fields["recipients"])
                self._index(Attempt(**fields), len(line))
        os.ftruncate(self._descriptor, self._end)


def _values(attempt: Attempt, by: str) -> Iterable[str]:
    if by == "recipient":
        return attempt.recipients
    value = {
        "sender": attempt.sender,
        "user": attempt.user,
        "messageId": attempt.message_id,
        "disposition": attempt.disposition.value,
        "behaviour": attempt.behaviour,
        "tenant": attempt.tenant_id,
    }[by]
    return () if value is None else (value,)
