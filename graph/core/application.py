"""The GraphQL server as one ASGI application: POST and WebSocket on its path, event streams on `<path>/stream`."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

from app.core.door import Door
from app.core.resources import Resources
from graph.core.buckets import Buckets
from graph.core.build import PublicSchema
from graph.core.crowd import Crowd
from graph.core.documents import Documents
from graph.core.engine import Engine
from graph.core.limits import Limits
from graph.core.stream import HEARTBEAT_SECONDS, StreamView
from graph.core.view import PATIENCE_SECONDS, HttpView, Receive, Scope, Send
from graph.core.websocket import SocketLimits, SocketView


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a deployment or a test may set differently."""

    limits: Limits = field(default_factory=Limits)
    sockets: SocketLimits = field(default_factory=SocketLimits)
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    patience_seconds: float = PATIENCE_SECONDS


class GraphQLApplication:
    """Made by wiring. `running()` surrounds the server's life: budgets are settled in its background."""

    def __init__(self, schema: PublicSchema, door: Door, resources: Resources, tuning: Tuning | None = None) -> None:
        tuning = tuning or Tuning()
        settings = resources.settings
        limits = replace(tuning.limits, cost=min(tuning.limits.cost, settings.graphql_bucket_points))
        self.documents = Documents(
            schema._schema,
            sign_in=schema.anonymous_mutations,
            limits=limits,
            is_compiled=settings.compiled_execution,
        )
        self.buckets = Buckets(
            capacity=settings.graphql_bucket_points,
            rate=settings.graphql_points_per_second,
            redis=resources.redis,
        )
        self.engine = Engine(schema, self.documents, self.buckets)
        self.crowd = Crowd(per_session=settings.sockets_per_session, per_address=settings.sockets_per_address)
        self._http = HttpView(self.engine, door, patience_seconds=tuning.patience_seconds)
        self._sockets = SocketView(self.engine, door, self.crowd, tuning.sockets)
        self._streams = StreamView(
            self.engine,
            door,
            self.crowd,
            heartbeat_seconds=tuning.heartbeat_seconds,
            recheck_seconds=tuning.sockets.recheck_seconds,
            patience_seconds=tuning.patience_seconds,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
        elif scope["path"].rstrip("/").endswith("/stream"):
            await self._streams(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    def running(self) -> AbstractAsyncContextManager[None]:
        return self.buckets.settling()
