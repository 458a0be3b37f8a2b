"""Many small questions to the database at once become one: per tenant, while one answer is under way the next gathers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LARGEST = 200
GATHER_SECONDS = 0.001


class TenantBatches(Generic[Item, Answer]):
    """`call(tenant_id, items)` answers for each item, in order. It runs once at a time per tenant; alone, an item does
    not wait; among many, for a millisecond. An exception of the call is raised to everyone in that batch."""

    def __init__(self, call: Callable[[UUID, Sequence[Item]], Awaitable[Sequence[Answer]]]) -> None:
        self._call = call
        self._waiting: dict[UUID, list[tuple[Item, asyncio.Future[Answer]]]] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def ask(self, tenant_id: UUID, item: Item) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, []).append((item, future))
        if tenant_id not in self._tasks:
            self._tasks[tenant_id] = asyncio.create_task(self._work(tenant_id))
        return await future

    async def _work(self, tenant_id: UUID) -> None:
        try:
            batch: list[tuple[Item, asyncio.Future[Answer]]] = []
            while True:
                if len(batch) > 1:
                    await asyncio.sleep(GATHER_SECONDS)  # those who were just answered ask again in a moment
                waiting = self._waiting.pop(tenant_id, None)
                if waiting is None:
                    return
                batch, rest = waiting[:LARGEST], waiting[LARGEST:]
                if rest:
                    self._waiting[tenant_id] = rest
                await self._answer(tenant_id, batch)
        finally:
            del self._tasks[tenant_id]

    async def _answer(self, tenant_id: UUID, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._call(tenant_id, [item for item, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(_told(error))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _told(error: BaseException) -> BaseException:
    """A cancelled batch is an error to those who asked, not their own cancellation."""
    return error if isinstance(error, Exception) else ConnectionAbortedError("the process is stopping")
