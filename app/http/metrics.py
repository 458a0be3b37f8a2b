"""/metrics for Prometheus: this API process's requests, and what the relay last measured of jobs and events.

Open to this machine only, or to whoever sends the token of PENGUINMAILS_METRICS_TOKEN.
"""

import hmac
import ipaddress
import time
from collections.abc import Iterable

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.resources import Resources
from app.jobs.relay_report import RelayReport, read_report
from app.live.feed import LiveFeed

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "OPTIONS"})

_log = structlog.get_logger(__name__)


class ApiMetrics:
    """Counters of one API process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "path", "status"]
        self.requests = Counter("penguinmails_http_requests", "Answers.", labels, registry=self.registry)
        self.seconds = Histogram(
            "penguinmails_http_seconds",
            "Time to the end of the answer.",
            ["path"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.sockets = Gauge("penguinmails_sockets", "Open WebSockets.", registry=self.registry)
        self.subscribers = Gauge("penguinmails_live_subscribers", "Live subscriptions.", registry=self.registry)
        self.relay_seen = Gauge(
            "penguinmails_relay_seen", "1 when a relay has reported lately.", registry=self.registry
        )
        self.jobs = Gauge("penguinmails_jobs", "Open jobs, all tenants.", ["queue", "state"], registry=self.registry)
        self.oldest_due = Gauge(
            "penguinmails_relay_oldest_due_seconds", "For how long the oldest due job waits.", registry=self.registry
        )
        self.event_lag = Gauge(
            "penguinmails_relay_event_lag_seconds", "Age of the oldest event of the last batch.", registry=self.registry
        )

    def show_relay(self, report: RelayReport | None) -> None:
        self.relay_seen.set(0 if report is None else 1)
        self.jobs.clear()
        if report is None:
            return
        for queue, state, count in report.jobs:
            self.jobs.labels(queue, state).set(count)
        self.oldest_due.set(report.oldest_due_seconds)
        self.event_lag.set(report.event_lag_seconds)


class Measuring:
    """Pure ASGI: counts and times answers by the first segment of their path, so that labels stay few."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, paths: Iterable[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            with self._metrics.sockets.track_inprogress():
                await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._measure(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        first = "/" + scope["path"].lstrip("/").partition("/")[0]
        path = first if first in self._paths else "other"
        try:
            await self._app(scope, receive, watched)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            count, seconds = self._children_of(method, path, status)
            count.inc()
            seconds.observe(time.perf_counter() - started)

    def _children_of(self, method: str, path: str, status: int) -> tuple[Counter, Histogram]:
        key = (method, path, status)
        if key not in self._children:
            count = self._metrics.requests.labels(method, path, str(status))
            self._children[key] = count, self._metrics.seconds.labels(path)
        return self._children[key]


def metrics_routes(resources: Resources, metrics: ApiMetrics) -> list[Route]:
    """GET /metrics: 200, or 403 for others than this machine without the token."""

    async def show(request: Request) -> Response:
        if not _may_see(resources, request):
            return PlainTextResponse("Metrics are for this machine, or for those with the metrics token.\n", 403)
        metrics.subscribers.set(resources.port(LiveFeed).subscribers)
        try:
            metrics.show_relay(await read_report(resources.redis))
        except (RedisError, OSError) as error:
            _log.info("relay_report_not_read", error=str(error))
            metrics.show_relay(None)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", show, methods=["GET"])]


def _may_see(resources: Resources, request: Request) -> bool:
    token = resources.settings.metrics_token
    if token is not None:
        wanted = f"Bearer {token.get_secret_value()}"
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode())
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
