"""What a process says of itself: alive, ready, and in numbers."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.core.resources import Resources
from app.core.settings import Settings
from app.http.health import health_routes
from app.http.metrics import ApiMetrics, Measuring, metrics_routes
from app.jobs.relay_report import KEY, RelayReport, leave_report
from app.wiring import build_resources
from db.core.tiers import OLAP, OLTP


def app_of(resources: Resources) -> Starlette:
    metrics = ApiMetrics()
    return Starlette(
        routes=[*health_routes(resources), *metrics_routes(resources, metrics)],
        middleware=[Middleware(Measuring, metrics, ["/livez", "/readyz", "/metrics"])],
    )


def client_of(resources: Resources, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app_of(resources), client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://api.example")


@pytest_asyncio.fixture
async def client(resources: Resources) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(resources) as client:
        yield client


async def test_a_process_with_all_its_parts_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    alive, ready = await client.get("/livez"), await client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert ready.status_code == 200
    parts = {"oltp": "up", "content": "up", "olap": "up", "redis": "up"}
    assert ready.json() == {"status": "ready", "parts": parts}


async def test_without_redis_it_serves_on_and_says_degraded(settings: Settings, resources: Resources) -> None:
    lonely = build_resources(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    async with client_of(lonely) as client:
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()["status"], answer.json()["parts"]["redis"]) == (200, "degraded", "down")


async def test_without_postgresql_it_is_unavailable(client: httpx.AsyncClient) -> None:
    pool, OLTP.pool = OLTP.pool, None
    try:
        answer = await client.get("/readyz")
    finally:
        OLTP.pool = pool

    assert (answer.status_code, answer.json()["status"], answer.json()["parts"]["oltp"]) == (503, "unavailable", "down")


async def test_without_the_reporting_tier_it_is_degraded(client: httpx.AsyncClient) -> None:
    pool, OLAP.pool = OLAP.pool, None
    try:
        answer = await client.get("/readyz")
    finally:
        OLAP.pool = pool

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_metrics_count_answers_and_show_what_the_relay_reported(
    client: httpx.AsyncClient, resources: Resources
) -> None:
    await leave_report(resources.redis, RelayReport("one", 3, [("sending", "queued", 7)], 1.5, 0.25))
    await client.get("/livez")
    await client.get("/nothing/here")

    text = (await client.get("/metrics")).text
    await resources.redis.delete(KEY)
    without_relay = (await client.get("/metrics")).text

    assert 'penguinmails_http_requests_total{method="GET",path="/livez",status="200"} 1.0' in text
    assert 'penguinmails_http_requests_total{method="GET",path="other",status="404"} 1.0' in text
    assert 'penguinmails_jobs{queue="sending",state="queued"} 7.0' in text
    assert "penguinmails_relay_oldest_due_seconds 1.5" in text
    assert "penguinmails_relay_event_lag_seconds 0.25" in text
    assert "penguinmails_relay_seen 0.0" in without_relay
    assert 'queue="sending"' not in without_relay


async def test_metrics_are_for_this_machine_or_for_the_token(settings: Settings, resources: Resources) -> None:
    guarded = build_resources(settings.model_copy(update={"metrics_token": SecretStr("scrape-me")}))
    async with client_of(resources, address="203.0.113.7") as elsewhere, client_of(resources) as proxied:
        from_elsewhere = await elsewhere.get("/metrics")
        behind_proxy = await proxied.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})
    async with client_of(guarded, address="203.0.113.7") as client:
        wrong = await client.get("/metrics", headers={"Authorization": "Bearer guess"})
        right = await client.get("/metrics", headers={"Authorization": "Bearer scrape-me"})
    await guarded.redis.aclose()

    assert [each.status_code for each in (from_elsewhere, behind_proxy, wrong, right)] == [403, 403, 403, 200]
