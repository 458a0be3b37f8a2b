"""Limits count across processes in Redis, and go on by themselves while Redis is away."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.core.ids import new_id
from app.core.rate_limits import Limit, RateLimits
from app.core.resources import Resources

THREE = Limit("test", 3, 60.0)


class Watch:
    """Time that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def gone() -> Redis:
    """A Redis that nobody listens for."""
    return Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)


@pytest.fixture(params=["redis", "local"])
def limits(request: pytest.FixtureRequest, resources: Resources, gone: Redis) -> tuple[RateLimits, Watch]:
    watch = Watch()
    return RateLimits(resources.redis if request.param == "redis" else gone, now=watch), watch


async def test_a_limit_grants_its_count_and_says_how_long_to_wait(limits: tuple[RateLimits, Watch]) -> None:
    counted, watch = limits
    key = new_id().hex

    waits = [await counted.take(THREE, key) for _ in range(5)]
    watch.at += 20
    later = [await counted.take(THREE, key) for _ in range(2)]

    assert waits == [0, 0, 0, pytest.approx(20, abs=0.01), pytest.approx(20, abs=0.01)]
    assert later == [0, pytest.approx(20, abs=0.01)]


async def test_what_is_given_back_can_be_taken_again_and_no_more(limits: tuple[RateLimits, Watch]) -> None:
    counted, _ = limits
    key = new_id().hex
    await counted.take(THREE, key)

    for _ in range(5):
        await counted.give_back(THREE, key)
    waits = [await counted.take(THREE, key) for _ in range(4)]

    assert [wait > 0 for wait in waits] == [False, False, False, True]


async def test_keys_and_limits_do_not_mix(limits: tuple[RateLimits, Watch]) -> None:
    counted, _ = limits
    key = new_id().hex
    for _ in range(4):
        await counted.take(THREE, key)

    assert await counted.take(THREE, key + "x") == 0
    assert await counted.take(Limit("other", 3, 60.0), key) == 0


async def test_two_processes_share_one_count_and_twenty_at_once_get_three(resources: Resources) -> None:
    watch, key = Watch(), new_id().hex
    one, two = RateLimits(resources.redis, now=watch), RateLimits(resources.redis, now=watch)

    waits = await asyncio.gather(*(each.take(THREE, key) for each in (one, two) for _ in range(10)))

    assert sum(wait == 0 for wait in waits) == 3


async def test_no_address_stands_in_redis(resources: Resources) -> None:
    key = f"ada-{new_id().hex}@acme.example"

    await RateLimits(resources.redis).take(THREE, key)

    assert [name async for name in resources.redis.scan_iter(f"*{key}*")] == []


async def test_memory_is_bounded_while_redis_is_away(gone: Redis) -> None:
    counted = RateLimits(gone, local_keys=10)

    for number in range(50):
        await counted.take(THREE, str(number))

    assert len(counted._local) == 10
