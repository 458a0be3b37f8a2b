"""A worker's memory after thousands of jobs is what it was before: garbage is collected rarely, but it is collected."""

from pathlib import Path
from uuid import UUID

import pytest

from app.core.resources import Resources
from app.core.settings import Settings
from db.core.transaction import tenant_transaction
from tests.actors.core.stage import all_done, caller_of, relay, worker

ROUND = 1_000  # jobs; what the first one takes is what a worker needs
MOST_GROWN_MEBIBYTES = 12
INSERT = """
INSERT INTO jobs (tenant_id, id, queue, priority, kind, payload, state, due_at, fence, attempt, max_attempts,
                  timeout_seconds, request_id, created_at)
SELECT $1, gen_random_uuid(), 'chaos', 2, 'chaos.mark', jsonb_build_object('number', n, 'seconds', 0), 'queued', now(), 0, 0, 5, 60, 'x', now()
FROM generate_series($2::int, $3::int) n
"""


def resident_mebibytes(pid: int) -> float:
    """What the kernel counts as the process's memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


async def put(tenant_id: UUID, first: int, last: int) -> None:
    async with tenant_transaction(tenant_id) as transaction:
        await transaction.execute(INSERT, tenant_id, first, last)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks the Linux kernel for the memory of a process")
@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.full)], ids=["sample", "full"])
async def test_a_workers_memory_does_not_grow_with_the_jobs_it_has_done(
    resources: Resources, settings: Settings, rounds: int
) -> None:
    tenant = caller_of(resources).tenant_id
    async with relay(resources), worker(settings.model_copy(update={"worker_threads": 8})) as process:
        after_rounds = []
        for number in range(rounds + 1):
            await put(tenant, number * ROUND + 1, (number + 1) * ROUND)
            await all_done(tenant, (number + 1) * ROUND)
            after_rounds.append(resident_mebibytes(process.pid))

    assert max(after_rounds) - after_rounds[0] < MOST_GROWN_MEBIBYTES, after_rounds
