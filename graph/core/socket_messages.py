"""The messages of graphql-transport-ws, read and written (https://github.com/enisdenk/graphql-ws, PROTOCOL.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from graph.core.request import Malformed, Request, read_json, read_request

SUBPROTOCOL = "graphql-transport-ws"
MOST_MESSAGE_BYTES = 256 * 1024
_LONGEST_ID = 256
_MOST_REASON_BYTES = 123


class Close(Exception):
    """The socket must close with this code; the reason is cut to what a close frame holds (RFC 6455, section 5.5)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:_MOST_REASON_BYTES].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class Message:
    """A frame of a known shape. `request` comes with subscribe, `id` with subscribe and complete."""

    type: str
    id: str = ""
    payload: Mapping[str, Any] | None = None
    request: Request | None = None


def read_message(text: str | None) -> Message:
    """Raises Close: 4400 for what is no message of the protocol, 1009 for one that is too large."""
    if text is None:
        raise Close(4400, "Invalid message: send text frames, not binary ones.")
    if len(text) > MOST_MESSAGE_BYTES:
        raise Close(1009, f"Invalid message: larger than {MOST_MESSAGE_BYTES} bytes.")
    try:
        frame = read_json(text)
    except Malformed:
        raise Close(4400, "Invalid message: not JSON.") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise Close(4400, "Invalid message: send an object with a `type`.")
    kind = frame["type"]
    if kind in {"connection_init", "ping", "pong"}:
        return Message(kind, payload=_payload(frame))
    if kind in {"subscribe", "complete"}:
        return Message(kind, id=_id(frame), request=_request(frame) if kind == "subscribe" else None)
    raise Close(4400, f"Invalid message: {kind[:40]!r} is no type that a client sends.")


def write_message(kind: str, message_id: str | None = None, payload: object = None) -> str:
    """A frame as text; graphql-transport-ws has no binary ones."""
    frame: dict[str, object] = {"type": kind}
    if message_id is not None:
        frame["id"] = message_id
    if payload is not None:
        frame["payload"] = payload
    return orjson.dumps(frame).decode()


def authorization_of(payload: Mapping[str, Any] | None) -> str | None:
    """The token in connection_init: `authorization`, in any of its usual spellings."""
    for name in ("authorization", "Authorization"):
        value = (payload or {}).get(name)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _payload(frame: Mapping[str, Any]) -> Mapping[str, Any] | None:
    payload = frame.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Close(4400, "Invalid message: `payload` must be an object.")
    return payload


def _id(frame: Mapping[str, Any]) -> str:
    message_id = frame.get("id")
    if not isinstance(message_id, str) or not 1 <= len(message_id) <= _LONGEST_ID:
        raise Close(4400, f"Invalid message: `id` must be text of 1 to {_LONGEST_ID} characters.")
    return message_id


def _request(frame: Mapping[str, Any]) -> Request:
    try:
        return read_request(frame.get("payload"))
    except Malformed as error:
        raise Close(4400, f"Invalid message: {error.message}") from None
