"""How many statements a list costs: as many for fifty items as for one, with all that is nested in them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from asyncpg.connection import LoggedQuery

from app.core.resources import Resources
from db.core.tiers import CONTENT, OLAP, OLTP
from tests.house.schema_client import SchemaClient, codes
from tests.house.schema_walk import Filling, Operation, is_connection, operations
from tests.house.world import World, make_world
from tests.house.world_crowd import MORE, crowd

LISTS = [each for each in operations("query") if is_connection(each.field)]
# Statements of one request that asks for everything a list has, BEGIN and COMMIT included. A new list is added here.
STATEMENTS = {
    "sessions": 3,
    "workspaces": 3,
    "members": 3,
    "invitations": 3,
    "contacts": 3,
    "contactLists": 7,  # the lists, and the contacts of each
    "contactImports": 7,  # the imports, and the errors of each
    "templates": 6,  # the templates, and their versions in the Content tier
    "mailboxes": 3,
    "dkimKeys": 3,
    "campaigns": 7,  # with counts, rate, variants and mailboxes
    "enrollments": 4,
    "messages": 25,  # with story, campaign, mailbox, and each mail rendered again
    "suppressions": 3,
    "sandboxMessages": 0,  # asks the sandbox
    "jobs": 3,
}
# What asyncpg itself asks, once per connection, to learn types.
OF_ASYNCPG = ("typeinfo_tree", "set_config('jit'")


@pytest_asyncio.fixture(scope="module")
async def crowded(house: Resources) -> World:
    world = await make_world(house)
    await crowd(world)
    return world


@asynccontextmanager
async def statements() -> AsyncIterator[list[str]]:
    """Everything that the pools send meanwhile, as asyncpg itself logs it."""
    seen: list[str] = []

    def log(query: LoggedQuery) -> None:
        if not any(own in query.query for own in OF_ASYNCPG):
            seen.append(query.query)

    async with every_connection() as connections:
        for connection in connections:
            connection.add_query_logger(log)
    try:
        yield seen
    finally:
        await asyncio.sleep(0)  # loggers are called on the next turn of the loop
        async with every_connection() as connections:
            for connection in connections:
                connection.remove_query_logger(log)


@asynccontextmanager
async def every_connection() -> AsyncIterator[list[Any]]:
    pools: list[Any] = [engine.pool for engine in (OLTP, CONTENT, OLAP)]
    held = [(pool, await pool.acquire()) for pool in pools for _ in range(pool.get_max_size())]
    try:
        yield [connection for _, connection in held]
    finally:
        for pool, connection in held:
            await pool.release(connection)


async def cost(client: SchemaClient, world: World, operation: Operation, first: int) -> list[str]:
    variables = Filling(world, operation, {}, full=False).variables() | {"first": first}
    async with statements() as seen:
        answer = await client.ask(world.owner, operation, variables, first=2)
    assert codes(answer) == [], answer
    assert len(answer["data"][operation.name]["edges"]) == first, (
        f"{operation} has not {first} items: see world_crowd.py"
    )
    return seen


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_fifty_items_cost_as_many_statements_as_one(
    client: SchemaClient, crowded: World, operation: Operation
) -> None:
    one = await cost(client, crowded, operation, 1)
    fifty = await cost(client, crowded, operation, MORE)

    assert len(fifty) == len(one), "\n".join(
        [f"{operation}: {len(one)} for one item, {len(fifty)} for fifty", *sorted(set(fifty))]
    )
    assert len(one) == STATEMENTS.get(operation.name), f"{operation}: {len(one)}\n" + "\n".join(one)


def test_the_table_names_every_list_and_no_other() -> None:
    assert sorted(STATEMENTS) == sorted(each.name for each in LISTS)
