"""A GraphQL request as it came: checked for its shape (GraphQL over HTTP, section 5.1), in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


class Malformed(Exception):
    """Not a GraphQL request at all; the message says what to send instead."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Request:
    query: str
    variables: Mapping[str, Any]
    operation_name: str | None


def read_json(body: bytes | str) -> object:
    """Raises Malformed for what is no JSON: wrong UTF-8, numbers or nesting without end, lone surrogates included."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body:
            raise Malformed('The body is empty: send JSON such as {"query": "{ __typename }"}.') from None
        raise Malformed(f"The body is not JSON: {error}.") from None


def read_request(payload: object) -> Request:
    """Raises Malformed."""
    if isinstance(payload, list):
        raise Malformed("Batches are not supported: send one operation per request.")
    if not isinstance(payload, dict):
        raise Malformed('The body must be a JSON object such as {"query": "{ __typename }"}.')
    query = payload.get("query")
    if not isinstance(query, str) or not query.strip():
        raise Malformed("`query` must be the text of a GraphQL document.")
    name = payload.get("operationName")
    if name is not None and not isinstance(name, str):
        raise Malformed("`operationName` must be text or null.")
    variables = payload.get("variables")
    if variables is not None and not isinstance(variables, dict):
        raise Malformed("`variables` must be a JSON object or null.")
    if not isinstance(payload.get("extensions"), dict | None):
        raise Malformed("`extensions` must be a JSON object or null.")
    return Request(query, variables or {}, name or None)
