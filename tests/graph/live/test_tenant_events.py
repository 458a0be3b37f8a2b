"""tenantEvents through the schema: typed, in order, resumable, and honest about a cursor that is too old."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from app.core.caller import Caller
from app.core.ids import new_id
from app.core.permissions import TenantRole
from app.core.resources import Resources
from app.live.events import write_cursor
from graph.core.buckets import Buckets
from graph.core.documents import Documents
from graph.core.engine import Engine
from graph.core.ids import global_id
from graph.core.request import Request
from graph.schema import schema
from tests.app.live.stage import LAMP, number, switch, tenant_caller, user_of, watching

EVENTS = """subscription ($after: String) {
  tenantEvents(after: $after) { cursor topic at workspaceId objectId version payload } }"""
PLENTY = 1_000_000_000


async def events_of(caller: Caller, after: str | None) -> AsyncGenerator[dict[str, Any], None]:
    documents = Documents(schema._schema, sign_in=schema.anonymous_mutations)
    engine = Engine(schema, documents, Buckets(capacity=PLENTY, rate=PLENTY, redis=None))
    ready = engine.prepare(Request(EVENTS, {"after": after}, None), caller)
    async with aclosing(engine.stream(ready)) as answers:
        async for answer in answers:
            yield orjson.loads(orjson.dumps(answer.body))


async def test_events_come_typed_and_in_order_and_resume_after_a_cursor(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        job, workspace = tenant_caller(mine), new_id()
        owner = user_of(mine, job.tenant_id, TenantRole.OWNER)
        await switch(job, 1, workspace_id=workspace)
        await switch(job, 2)
        await number(mine)

        async with aclosing(events_of(owner, write_cursor(0))) as events:
            first, second = [(await anext(events))["data"]["tenantEvents"] for _ in range(2)]
            await switch(job, 3)
            await number(mine)
            third = (await asyncio.wait_for(anext(events), 5))["data"]["tenantEvents"]
        async with aclosing(events_of(owner, first["cursor"])) as events:
            again = (await anext(events))["data"]["tenantEvents"]

    assert first | {"at": "", "cursor": ""} == {
        "cursor": "",
        "topic": "lamp.switched",
        "at": "",
        "workspaceId": global_id("Workspace", workspace),
        "objectId": global_id("Lamp", LAMP),
        "version": 1,
        "payload": {"number": 1, "house_id": None},
    }
    assert (second["workspaceId"], second["version"], third["version"]) == (None, 2, 3)
    assert again == second


async def test_a_cursor_that_is_gone_is_told_apart_from_a_wrong_one(resources: Resources) -> None:
    async with watching(resources) as (mine, _):
        owner = user_of(mine, new_id(), TenantRole.OWNER)

        gone = await anext(events_of(owner, write_cursor(5)))
        wrong = await anext(events_of(owner, "nonsense"))

    assert gone["errors"][0]["extensions"]["code"] == "CURSOR_EXPIRED"
    assert wrong["errors"][0]["extensions"]["code"] == "BAD_INPUT"


async def test_a_right_that_ends_ends_the_subscription(resources: Resources) -> None:
    async with watching(resources) as (mine, roles):
        job = tenant_caller(mine)
        owner = user_of(mine, job.tenant_id, TenantRole.OWNER)
        async with aclosing(events_of(owner, None)) as events:
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.2)
            roles.gone.add(owner.user_id)
            await switch(job, 1)
            await number(mine)
            answer = await asyncio.wait_for(waiting, 5)

    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
