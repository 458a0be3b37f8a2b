"""Idempotency keys: the same call twice has one effect and one answer.

A key is claimed in a short transaction of its own. The claim rides on the caller: the use case's own writing
transaction marks it committed together with the effect, or fails when the claim was lost. Then the answer is stored.
A crash in between leaves "committed without an answer", which is said as ALREADY_DONE and never done again.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import DomainError, ErrorCode
from app.core.ids import new_id
from db.core.transaction import Transaction
from db.queries.core import idempotency as rows

RETENTION = timedelta(days=1)
LEASE = timedelta(seconds=60)
LONGEST_KEY = 255
_SWEPT_PER_CLAIM = 20
_PATH = ("input", "idempotencyKey")


class KeyUnfit(DomainError):
    """The key is empty or too long."""


class KeyReused(DomainError):
    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


class StillRunning(DomainError):
    code = ErrorCode.CONCURRENT


class AlreadyDone(DomainError):
    code = ErrorCode.ALREADY_DONE


class ClaimLost(DomainError):
    """The call outlived its lease and another one has taken its key: its effect is rolled back."""

    code = ErrorCode.CONCURRENT


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """The right to answer under a key, until the lease ends. `fence` differs for every holder."""

    id: UUID
    fence: UUID

    def bind(self, transaction: Transaction) -> None:
        """Marks the claim committed as the last statement of this writing transaction. The mark raises ClaimLost."""
        transaction.before_commit(self._mark_committed)

    async def _mark_committed(self) -> None:
        if not await rows.mark_committed(self.id, self.fence):
            raise ClaimLost("This took too long and was started again under the same key; nothing was changed.", _PATH)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first call answered, as the caller of `settle` gave it."""

    answer: dict[str, Any]


async def claim_key(caller: Caller, operation: str, *, key: str, input_hash: bytes) -> IdempotencyClaim | StoredAnswer:
    """Claims `key` for one operation of this tenant and actor, or gives the answer that stands under it.

    Raises KeyUnfit, KeyReused (other input), StillRunning (in flight), AlreadyDone (its answer was lost).
    """
    if not 1 <= len(key) <= LONGEST_KEY:
        raise KeyUnfit(f"An idempotency key has 1 to {LONGEST_KEY} characters.", _PATH)
    wanted = _new_row(caller, operation, key, input_hash)
    async with caller.transaction():
        await rows.delete_older_answers(wanted.created_at - RETENTION, _SWEPT_PER_CLAIM)
        if await rows.insert_claim(wanted):
            return IdempotencyClaim(wanted.id, wanted.fence)
        held = await rows.lock_answer(wanted.actor, operation, key)
        if held is None:
            raise StillRunning("The same idempotency key is being worked on: try again in a moment.", _PATH)
        return await _decide(held, wanted)


async def settle(caller: Caller, claim: IdempotencyClaim, answer: dict[str, Any]) -> None:
    """Stores the answer (JSON) of the call, whether it did something or was refused."""
    async with caller.transaction():
        await rows.store_answer(claim.id, claim.fence, answer)


async def release(caller: Caller, claim: IdempotencyClaim) -> None:
    """Frees the key after an error that changed nothing; a committed claim stays, and is answered as ALREADY_DONE."""
    async with caller.transaction():
        await rows.release_claim(claim.id, claim.fence)


async def _decide(held: rows.IdempotencyAnswer, wanted: rows.IdempotencyAnswer) -> IdempotencyClaim | StoredAnswer:
    if held.created_at <= wanted.created_at - RETENTION:
        return await _take_over(held, wanted)
    if held.input_hash != wanted.input_hash:
        raise KeyReused("This idempotency key was used with another input: take a new key.", _PATH)
    if held.state == "answered":
        return StoredAnswer(held.answer or {})
    if held.state == "committed":
        raise AlreadyDone("This was done under the same key, but its answer was lost: read the object anew.", _PATH)
    if held.lease_until > wanted.created_at:
        raise StillRunning("The same idempotency key is being worked on: try again in a moment.", _PATH)
    return await _take_over(held, wanted)


async def _take_over(held: rows.IdempotencyAnswer, wanted: rows.IdempotencyAnswer) -> IdempotencyClaim:
    await rows.take_over(
        rows.IdempotencyAnswer(
            id=held.id,
            tenant_id=held.tenant_id,
            actor=held.actor,
            operation=held.operation,
            key=held.key,
            input_hash=wanted.input_hash,
            state="in_flight",
            fence=wanted.fence,
            lease_until=wanted.lease_until,
            answer=None,
            created_at=wanted.created_at,
        )
    )
    return IdempotencyClaim(held.id, wanted.fence)


def _new_row(caller: Caller, operation: str, key: str, input_hash: bytes) -> rows.IdempotencyAnswer:
    now = caller.now()
    return rows.IdempotencyAnswer(
        id=new_id(),
        tenant_id=caller.tenant_id,
        actor=caller.actor,
        operation=operation,
        key=key,
        input_hash=input_hash,
        state="in_flight",
        fence=new_id(),
        lease_until=now + LEASE,
        answer=None,
        created_at=now,
    )
