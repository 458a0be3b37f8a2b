"""What workers and the relay count, each in a registry of its own, served on a loopback port when one is set."""

import threading
from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

LOOPBACK = "127.0.0.1"
_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300)


class WorkerMetrics:
    """Runs by queue and how they ended, and how long they took."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = Counter(
            "penguinmails_job_runs", "Runs of jobs by how they ended.", ["queue", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "penguinmails_job_seconds", "How long runs took.", ["queue"], buckets=_BUCKETS, registry=self.registry
        )

    def ended(self, queue: str, outcome: str, seconds: float) -> None:
        self._runs.labels(queue, str(outcome)).inc()
        self._seconds.labels(queue).observe(seconds)


class RelayMetrics:
    """What the relay moves, and how late it is."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leads = Gauge("penguinmails_relay_leads", "1 while this process leads.", registry=self.registry)
        self.dispatched = Counter(
            "penguinmails_relay_jobs_dispatched", "Jobs moved to Redis.", ["queue"], registry=self.registry
        )
        self.swept = Counter(
            "penguinmails_relay_jobs_swept", "Jobs sent again or rescheduled.", ["why"], registry=self.registry
        )
        self.numbered = Counter("penguinmails_relay_events_numbered", "Live events numbered.", registry=self.registry)
        self.event_lag = Gauge(
            "penguinmails_relay_event_lag_seconds", "Age of the oldest event of the last batch.", registry=self.registry
        )
        self.oldest_due = Gauge(
            "penguinmails_relay_oldest_due_seconds", "For how long the oldest due job waits.", registry=self.registry
        )
        self.jobs = Gauge(
            "penguinmails_jobs", "Open jobs by queue and state.", ["queue", "state"], registry=self.registry
        )


@dataclass(frozen=True, slots=True)
class MetricsServer:
    server: WSGIServer
    thread: threading.Thread

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def serve_metrics(registry: CollectorRegistry, port: int | None) -> MetricsServer | None:
    """On loopback only; None without a port. Raises OSError when the port is taken."""
    if port is None:
        return None
    server, thread = start_http_server(port, addr=LOOPBACK, registry=registry)
    return MetricsServer(server, thread)
