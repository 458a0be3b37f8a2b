"""A lean HTTP/1.1 client for measuring: keep-alive connections, one request at a time each, bodies by Content-Length."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Shot:
    """One request, ready to be written, and how often it is sent in a round."""

    port: int
    raw: bytes

    @classmethod
    def post(cls, port: int, path: str, body: bytes, token: str) -> "Shot":
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/graphql-response+json\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return cls(port, head.encode() + body)


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, raw: bytes) -> bytes:
        """The body of the answer. Raises RuntimeError when it is not 200."""
        self._writer.write(raw)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        body = await self._reader.readexactly(length)
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"{head.decode()}{body.decode(errors='replace')[:1000]}")
        return body

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def once(shot: Shot) -> bytes:
    """The body of one answer."""
    connection = await Connection.open(shot.port)
    try:
        return await connection.send(shot.raw)
    finally:
        await connection.close()


async def fire(shot: Shot, *, times: int, connections: int) -> None:
    """`times` requests over new connections, one at a time on each."""
    left = iter(range(times))

    async def one_after_another() -> None:
        connection = await Connection.open(shot.port)
        try:
            for _number in left:
                await connection.send(shot.raw)
        finally:
            await connection.close()

    await asyncio.gather(*(one_after_another() for _ in range(connections)))


async def listening(port: int, check: Callable[[], None], *, seconds: float) -> None:
    """Until something listens. `check` raises when it has ended; RuntimeError after `seconds`."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            await (await Connection.open(port)).close()
        except OSError:
            check()
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"nothing listens on port {port} after {seconds:.0f} seconds") from None
            await asyncio.sleep(0.1)
        else:
            return
