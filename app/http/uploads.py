"""Bytes in and out beside GraphQL: PUT of an upload, GET of an import's error report. Their links are their keys."""

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app.core.errors import DomainError, ErrorCode
from app.core.outages import Away
from app.core.resources import Resources
from app.http.visitors import visitor
from app.outreach.contact_reports import import_report
from app.outreach.uploads import receive_upload

PATIENCE_SECONDS = 60.0  # between two pieces of a body

_STATUS = {
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.EXPIRED: 410,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.CONFLICT: 409,
    ErrorCode.UPLOAD_INCOMPLETE: 400,
}
_HEADERS = {  # not after 413: closing under a body that still comes is a reset, and its sender would never read why
    408: {"Connection": "close"},
    503: {"Connection": "close", "Retry-After": "30"},
}
_log = structlog.get_logger(__name__)


class _TooSlow(Exception):
    """The client sent nothing for PATIENCE_SECONDS."""


def upload_routes(resources: Resources, *, patience_seconds: float = PATIENCE_SECONDS) -> list[Route]:
    """PUT /uploads/{token} and GET /contact-imports/{token}/errors.csv.

    Problems are answered as RFC 9457 says: 404 for an unknown or forged token, 410 expired, 413 too large, 409 complete
    already or begun again elsewhere, 408 too slow, 415 compressed, 400 broken off or empty, 503 while the tier is away.
    """

    async def put_upload(request: Request) -> Response:
        if request.headers.get("content-encoding", "identity") != "identity":
            return _problem(415, "UNSUPPORTED", "Send the file as it is, without Content-Encoding.")
        pieces = _pieces(request, patience_seconds)
        try:
            upload = await receive_upload(
                visitor(resources, request), request.path_params["token"], pieces, declared_bytes=_declared(request)
            )
        except DomainError as error:
            return _refused(error)
        except Away as error:
            return _away(error)
        except _TooSlow:
            return _problem(408, "TOO_SLOW", f"No bytes came for {patience_seconds:g} seconds: send the file again.")
        except ClientDisconnect:
            _log.info("upload_broke_off")
            return _problem(400, "BROKEN_OFF", "The body ended early: send the file again from the start.")
        assert upload.sha256 is not None
        return JSONResponse({"sizeBytes": upload.size_bytes, "sha256": upload.sha256.hex()})

    async def get_report(request: Request) -> Response:
        try:
            lines = await import_report(visitor(resources, request), request.path_params["token"])
        except DomainError as error:
            return _refused(error)
        except Away as error:
            return _away(error)
        headers = {"Content-Disposition": 'attachment; filename="import-errors.csv"', "Cache-Control": "no-store"}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    return [
        Route("/uploads/{token}", put_upload, methods=["PUT"]),
        Route("/contact-imports/{token}/errors.csv", get_report, methods=["GET"]),
    ]


def _declared(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 16 else None


async def _pieces(request: Request, patience_seconds: float) -> AsyncIterator[bytes]:
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(patience_seconds):
                piece = await anext(stream, None)
        except TimeoutError:
            _give_up()
        if piece is None:
            return
        if piece:
            yield piece


def _give_up() -> NoReturn:
    raise _TooSlow


def _refused(error: DomainError) -> Response:
    return _problem(_STATUS.get(error.code, 400), error.code, error.message)


def _away(error: Away) -> Response:
    _log.warning("tier_away", error=f"{type(error.__cause__).__name__}: {error.__cause__}")
    return _problem(503, "AWAY", str(error))


def _problem(status: int, code: str, detail: str) -> Response:
    return JSONResponse(
        {"status": status, "code": code, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers=_HEADERS.get(status),
    )
