"""The endpoint to compare with: what a careful person writes by hand for exactly three answers, and nothing more.

Starlette, asyncpg and orjson. It checks the same token and session, takes the same cost from a bucket, opens the same
tenant transaction under the same row-level security, and gives the same JSON.
"""

import base64
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SESSION_SECONDS = 5.0
CAPACITY = RATE = 1_000_000_000
POOL = 10
ANSWER_TYPE = "application/graphql-response+json; charset=utf-8"
Answering = Callable[[Any, UUID, UUID, dict[str, Any]], Awaitable[dict[str, Any]]]


class Door:
    """Reads the token, looks its session up at most every five seconds, and counts points."""

    def __init__(self, key: bytes, issuer: str, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._key = OctKey.import_key(key)
        self._issuer = issuer
        self._pool = pool
        self._known: dict[str, tuple[float, UUID, UUID, float]] = {}
        self._levels: dict[UUID, tuple[float, float]] = {}

    async def admit(self, authorization: str) -> tuple[UUID, UUID]:
        """Tenant and user. Raises PermissionError."""
        now = time.time()
        known = self._known.get(authorization)
        if known is None or known[0] < now or known[3] < now:
            known = self._known[authorization] = await self._checked(authorization, now)
        return known[1], known[2]

    async def _checked(self, authorization: str, now: float) -> tuple[float, UUID, UUID, float]:
        token = jwt.decode(authorization.removeprefix("Bearer "), self._key, algorithms=["HS256"])
        claims = token.claims
        if token.header["typ"] != "at+jwt" or claims["iss"] != self._issuer or claims["aud"] != "penguinmails":
            raise PermissionError
        tenant_id, user_id = UUID(claims["tid"]), UUID(claims["sub"])
        async with tenant_transaction(self._pool, tenant_id) as connection:
            session = await connection.fetchrow(
                "SELECT revoked_at, expires_at FROM sessions WHERE tenant_id = $1 AND id = $2",
                tenant_id,
                UUID(claims["sid"]),
            )
        if claims["exp"] < now or session is None or session["revoked_at"] is not None:
            raise PermissionError
        return now + SESSION_SECONDS, tenant_id, user_id, claims["exp"]

    def take(self, user_id: UUID, cost: int) -> dict[str, Any]:
        """What `extensions.cost` says. Raises PermissionError when the bucket is empty."""
        now = time.monotonic()
        level, at = self._levels.get(user_id, (CAPACITY, now))
        level = min(CAPACITY, level + (now - at) * RATE) - cost
        if level < 0:
            raise PermissionError
        self._levels[user_id] = (level, now)
        reset_at = datetime.now(UTC) + timedelta(seconds=(CAPACITY - level) / RATE)
        return {"requested": cost, "limit": CAPACITY, "remaining": int(level), "resetAt": reset_at}


@asynccontextmanager
async def tenant_transaction(pool: "asyncpg.Pool[asyncpg.Record]", tenant_id: UUID) -> AsyncIterator[Any]:
    """The product's own read-only transaction: three round trips and the pool's reset query."""
    connection = await pool.acquire()
    try:
        await connection.execute(f"BEGIN READ ONLY; SET LOCAL nile.tenant_id = '{tenant_id}'")
        yield connection
        await connection.execute("COMMIT")
    finally:
        await pool.release(connection)


def global_id(kind: bytes, row_id: UUID) -> str:
    return base64.urlsafe_b64encode(kind + b":" + row_id.bytes).rstrip(b"=").decode()


def local_id(value: str) -> UUID:
    return UUID(bytes=base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))[-16:])


CAMPAIGNS = """
SELECT c.id, c.name, c.state, c.list_id, c.enrolling, c.version, c.launched_at, c.paused_at, c.completed_at, c.created_at,
  c.updated_at, COALESCE(k.sent, 0) AS sent, COALESCE(k.bounced, 0) AS bounced, COALESCE(k.queued, 0) AS queued
FROM (
  SELECT * FROM campaigns WHERE tenant_id = $1 AND workspace_id = $2 AND archived_at IS NULL ORDER BY id DESC LIMIT 51
) c
LEFT JOIN LATERAL (
  SELECT sum(sent) AS sent, sum(bounced) AS bounced, sum(queued) AS queued
  FROM campaign_counts WHERE tenant_id = $1 AND campaign_id = c.id
) k ON true
ORDER BY c.id DESC
"""


def shown_campaign(row: Any) -> dict[str, Any]:
    return {
        "id": global_id(b"Campaign", row["id"]),
        "name": row["name"],
        "state": row["state"].upper(),
        "listId": None if row["list_id"] is None else global_id(b"ContactList", row["list_id"]),
        "enrolling": row["enrolling"],
        "version": row["version"],
        "launchedAt": row["launched_at"],
        "pausedAt": row["paused_at"],
        "completedAt": row["completed_at"],
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "counts": {"sent": row["sent"], "bounced": row["bounced"], "queued": row["queued"]},
    }


async def w1(connection: Any, tenant_id: UUID, user_id: UUID, variables: dict[str, Any]) -> dict[str, Any]:
    """50 campaigns of 11 fields, each with its counts."""
    rows = await connection.fetch(CAMPAIGNS, tenant_id, local_id(variables["workspaceId"]))
    return {"campaigns": {"edges": [{"node": shown_campaign(row)} for row in rows[:50]]}}


LIST = "SELECT id, name, contact_count, created_at FROM contact_lists WHERE tenant_id = $1 AND id = $2"


async def w2(connection: Any, tenant_id: UUID, user_id: UUID, variables: dict[str, Any]) -> dict[str, Any]:
    """One node by its id."""
    row = await connection.fetchrow(LIST, tenant_id, local_id(variables["id"]))
    node = {
        "id": global_id(b"ContactList", row["id"]),
        "name": row["name"],
        "contactCount": row["contact_count"],
        "createdAt": row["created_at"],
    }
    return {"node": node}


VIEWER = """
SELECT m.user_id, m.email, m.display_name, m.role, t.id AS tenant_id, t.name AS tenant_name
FROM memberships m JOIN tenants t ON t.id = m.tenant_id WHERE m.tenant_id = $1 AND m.user_id = $2
"""


async def w3(connection: Any, tenant_id: UUID, user_id: UUID, variables: dict[str, Any]) -> dict[str, Any]:
    """Who am I, and where."""
    row = await connection.fetchrow(VIEWER, tenant_id, user_id)
    user = {"id": global_id(b"User", row["user_id"]), "email": row["email"], "displayName": row["display_name"]}
    tenant = {"id": global_id(b"Tenant", row["tenant_id"]), "name": row["tenant_name"]}
    return {"viewer": {"role": row["role"].upper(), "user": user, "tenant": tenant}}


class Endpoints:
    """The three routes over one pool."""

    def __init__(self, door: Door, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._door = door
        self._pool = pool

    def route(self, path: str, answer: Answering, *, cost: int) -> Route:
        async def endpoint(request: Request) -> Response:
            tenant_id, user_id = await self._door.admit(request.headers["authorization"])
            variables = orjson.loads(await request.body())["variables"]
            shown = self._door.take(user_id, cost)
            async with tenant_transaction(self._pool, tenant_id) as connection:
                data = await answer(connection, tenant_id, user_id, variables)
            body = orjson.dumps({"data": data, "extensions": {"cost": shown}})
            return Response(body, media_type=ANSWER_TYPE)

        return Route(path, endpoint, methods=["POST"])


class Unreset(asyncpg.Connection):
    """The product's pool resets nothing either: only SET LOCAL is ever used."""

    def get_reset_query(self) -> str:
        return ""


def application() -> Starlette:
    """Configured by the product's own variables."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            os.environ["PENGUINMAILS_OLTP_URL"], min_size=0, max_size=POOL, connection_class=Unreset
        ) as pool:
            key = bytes.fromhex(os.environ["PENGUINMAILS_TOKEN_KEY"])
            endpoints = Endpoints(Door(key, os.environ["PENGUINMAILS_PUBLIC_URL"], pool), pool)
            app.router.routes += [
                endpoints.route("/w1", w1, cost=101),
                endpoints.route("/w2", w2, cost=1),
                endpoints.route("/w3", w3, cost=3),
            ]
            yield

    return Starlette(lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(
        application(),
        port=int(os.environ["BENCH_PORT"]),
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
    )
