"""For whoever watches the process: /livez says that it runs, /readyz what it can do."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.core.readiness import readiness
from app.core.resources import Resources

_HEADERS = {"Cache-Control": "no-store"}


def health_routes(resources: Resources) -> list[Route]:
    """/livez: 200 while the process answers. /readyz: 200 ready or degraded, 503 without PostgreSQL."""

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=_HEADERS)

    async def ready(_request: Request) -> Response:
        found = await readiness(resources)
        parts = {"oltp": found.oltp, "content": found.content, "olap": found.olap, "redis": found.redis}
        body = {"status": found.status, "parts": {name: "up" if up else "down" for name, up in parts.items()}}
        return JSONResponse(body, status_code=200 if found.oltp else 503, headers=_HEADERS)

    return [Route("/livez", live, methods=["GET"]), Route("/readyz", ready, methods=["GET"])]
