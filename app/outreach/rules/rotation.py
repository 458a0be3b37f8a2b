"""Sharing due enrollments out over a campaign's mailboxes, each up to the room that it has."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class MailboxRoom:
    """`waiting` mails stand before it already; `room` more may be planned for it now."""

    mailbox_id: UUID
    waiting: int
    room: int


def share_out(count: int, mailboxes: Sequence[MailboxRoom]) -> list[UUID]:
    """The mailbox of each of the next `count` mails: always the one with the shortest queue, by id where equal.

    Shorter than `count` when the room is used up. The same input gives the same answer.
    """
    left = {each.mailbox_id: each.room for each in mailboxes}
    queue = [(each.waiting, each.mailbox_id) for each in mailboxes if each.room > 0]
    heapq.heapify(queue)
    shares: list[UUID] = []
    while queue and len(shares) < count:
        waiting, mailbox_id = queue[0]
        shares.append(mailbox_id)
        left[mailbox_id] -= 1
        if left[mailbox_id] > 0:
            heapq.heapreplace(queue, (waiting + 1, mailbox_id))
        else:
            heapq.heappop(queue)
    return shares
