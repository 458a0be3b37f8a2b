"""Clients for tests: an operation without HTTP, and a real server on a free port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn

from app.core.caller import Caller
from graph.core.application import GraphQLApplication
from graph.core.buckets import Buckets
from graph.core.build import PublicSchema
from graph.core.documents import Documents
from graph.core.engine import Engine, Stopped
from graph.core.request import Request

_PLENTY = 1_000_000_000


async def run(
    schema: PublicSchema,
    caller: Caller,
    query: str,
    variables: dict[str, Any] | None = None,
    *,
    name: str | None = None,
) -> dict[str, Any]:
    """The response of an operation as a client would read it: {"data", "errors", "extensions"}. Budgets are endless."""
    documents = Documents(schema._schema, sign_in=schema.anonymous_mutations)
    engine = Engine(schema, documents, Buckets(capacity=_PLENTY, rate=_PLENTY, redis=None))
    try:
        answer = await engine.run(engine.prepare(Request(query, variables or {}, name), caller))
    except Stopped as stopped:
        answer = stopped.answer
    response: dict[str, Any] = orjson.loads(orjson.dumps(answer.body))
    return response


@asynccontextmanager
async def serving(application: Any) -> AsyncIterator[str]:
    """Runs an ASGI application under a real uvicorn; gives `127.0.0.1:<port>`."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)  # so that slow readers are felt soon
    config = uvicorn.Config(
        application, log_level="warning", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this attribute only
            await asyncio.sleep(0.01)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def serving_graphql(application: GraphQLApplication) -> AsyncIterator[str]:
    async with application.running(), serving(application) as address:
        yield address
