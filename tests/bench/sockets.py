"""Lean subscribers: a WebSocket each (RFC 6455), that only notes when an event arrives."""

import asyncio
import base64
import json
import os
import re
import time
from collections.abc import Callable

_NUMBER = re.compile(rb'"bench_number": ?(\d+)')
_ACK, _NEXT, _PING = b'"connection_ack"', b'"next"', b'"ping"'
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
Arrived = Callable[[int, float], None]


class Subscriber(asyncio.Protocol):
    """Upgrades, signs in, subscribes; then calls `arrived(number, moment)` for each event that has a `bench_number`."""

    def __init__(self, port: int, token: str, *, query: str, arrived: Arrived) -> None:
        self._port = port
        self._token = token
        self._query = query
        self._arrived = arrived
        self._buffer = b""
        self._is_open = False
        self._transport: asyncio.Transport | None = None
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        if not self.acknowledged.done():
            self.acknowledged.set_exception(RuntimeError(f"the socket was closed: {error or self._buffer[:300]!r}"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        moment = time.perf_counter()
        self._buffer += data
        if not self._is_open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.acknowledged.set_exception(RuntimeError(head.decode()))
                return
            self._is_open, self._buffer = True, rest
            self._say({"type": "connection_init", "payload": {"authorization": f"Bearer {self._token}"}})
        while (frame := self._next_frame()) is not None:
            self._heard(*frame, moment)

    def _heard(self, opcode: int, payload: bytes, moment: float) -> None:
        if opcode == PING:
            self._send(PONG, payload)
        elif opcode == TEXT and _NEXT in payload:
            for number in _NUMBER.findall(payload):
                self._arrived(int(number), moment)
        elif opcode == TEXT and _PING in payload:
            self._say({"type": "pong"})
        elif opcode == TEXT and _ACK in payload:
            self._say({"id": "1", "type": "subscribe", "payload": {"query": self._query}})
            self.acknowledged.set_result(None)
        elif opcode in (TEXT, CLOSE):
            raise RuntimeError(f"a subscriber was told {payload!r}")

    def _next_frame(self) -> tuple[int, bytes] | None:
        """A whole, unmasked frame; None until one is here."""
        if len(self._buffer) < 4:
            return None
        length, start = self._buffer[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(self._buffer[2:4], "big"), 4
        if length == 127 or len(self._buffer) < start + length:
            return None
        payload, opcode = self._buffer[start : start + length], self._buffer[0] & 0x0F
        self._buffer = self._buffer[start + length :]
        return opcode, payload

    def _say(self, message: dict[str, object]) -> None:
        self._send(TEXT, json.dumps(message).encode())

    def _send(self, opcode: int, payload: bytes) -> None:
        """Masked with zeros: the mask protects proxies, and there is none."""
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        assert self._transport is not None
        self._transport.write(bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload)
