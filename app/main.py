"""The API as one ASGI application: every route on one page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.core.door import Door
from app.core.garbage import collect_rarely
from app.core.resources import Resources
from app.core.settings import Settings, read_settings
from app.http.health import health_routes
from app.http.metrics import ApiMetrics, Measuring, metrics_routes
from app.http.middleware.safety import SafetyHeaders
from app.http.unsubscribe import unsubscribe_routes
from app.http.uploads import upload_routes
from app.wiring import build_resources, opened
from graph.core.application import GraphQLApplication
from graph.schema import schema

_ONE_DAY_SECONDS = 86_400


def create_app(settings: Settings | None = None) -> Starlette:
    """Made by the server process; reads the environment unless settings are given. Raises SettingsInvalid."""
    resources = build_resources(settings or read_settings())
    door = resources.port(Door)
    graphql = GraphQLApplication(schema, door, resources)
    metrics = ApiMetrics()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with opened(resources), graphql.running():
            yield

    routes = [*_routes(graphql, door, resources), *metrics_routes(resources, metrics)]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Measuring, metrics, _first_segments(routes)), *_middleware(resources.settings)],
        lifespan=lifespan,
    )
    # A redirect would be to the scheme and host that the request names: behind a proxy, tokens would follow it in clear.
    app.router.redirect_slashes = False
    return app


def serve_app() -> Starlette:
    """`create_app` for a process that does nothing else."""
    app = create_app()
    collect_rarely()
    return app


def _routes(graphql: GraphQLApplication, door: Door, resources: Resources) -> list[BaseRoute]:
    return [
        Route("/graphql", endpoint=graphql),
        Route("/graphql/stream", endpoint=graphql),
        WebSocketRoute("/graphql", endpoint=graphql),
        *upload_routes(resources),
        *unsubscribe_routes(resources),
        *health_routes(resources),
    ]


def _first_segments(routes: list[BaseRoute]) -> set[str]:
    return {"/" + route.path.lstrip("/").partition("/")[0] for route in routes if isinstance(route, Route)}


def _middleware(settings: Settings) -> list[Middleware]:
    """Single-page apps of the allowed origins send their token in a header; no cookie is ever used."""
    chain = [Middleware(SafetyHeaders)]
    if settings.allowed_origins:
        chain.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST", "PUT"],
                allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
                expose_headers=["X-Request-Id", "Retry-After"],
                max_age=_ONE_DAY_SECONDS,
            )
        )
    return chain
