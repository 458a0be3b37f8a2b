"""Asks the public schema as its transports do, without HTTP, and compares what it answers."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import orjson

from app.core.caller import Caller
from graph.core.buckets import Buckets
from graph.core.documents import Documents
from graph.core.engine import Engine, Stopped
from graph.core.ids import decode
from graph.core.request import Request
from graph.schema import schema
from tests.house.schema_walk import Operation, document

_PLENTY = 1_000_000_000
_SILENCE_SECONDS = 1.5
_NEW = ("accessToken", "refreshToken", "expiresAt", "refreshExpiresAt", "createdAt", "updatedAt", "lastUsedAt", "asOf")


class SchemaClient:
    """One engine for a whole run, so that documents are prepared once. Budgets are endless."""

    def __init__(self) -> None:
        documents = Documents(schema._schema, sign_in=schema.anonymous_mutations)
        self._engine = Engine(schema, documents, Buckets(capacity=_PLENTY, rate=_PLENTY, redis=None))

    async def ask(
        self,
        caller: Caller,
        operation: Operation,
        variables: Mapping[str, Any],
        *,
        on: str | None = None,
        first: int = 2,
        parent: str | None = None,
    ) -> dict[str, Any]:
        """The answer without its extensions; of a subscription the first answer, or {"silent": True}."""
        text = document(operation, variables, on=on, first=first)
        sent = dict(variables) | ({"_parent": parent} if operation.parent else {})
        answer = await self._answer(caller, Request(text, sent, None), is_live=operation.kind == "subscription")
        answer.pop("extensions", None)
        return answer

    async def _answer(self, caller: Caller, request: Request, *, is_live: bool) -> dict[str, Any]:
        try:
            ready = self._engine.prepare(request, caller)
            if not is_live:
                return _read((await self._engine.run(ready)).body)
            async with aclosing(self._engine.stream(ready)) as answers:
                return _read((await asyncio.wait_for(anext(answers), _SILENCE_SECONDS)).body)
        except TimeoutError:
            return {"silent": True}
        except Stopped as stopped:
            return _read(stopped.answer.body)


def _read(body: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(orjson.dumps(body))
    return read


def codes(answer: Mapping[str, Any]) -> list[str]:
    """Of the top-level errors."""
    return [each["extensions"]["code"] for each in answer.get("errors") or ()]


def user_errors(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of all payloads."""
    payloads = (answer.get("data") or {}).values()
    return [error for payload in payloads if isinstance(payload, dict) for error in payload.get("userErrors") or ()]


def comparable(value: Any) -> Any:
    """The answer without what is new at every call: ids of new objects, tokens and moments."""
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if isinstance(value, dict):
        return {name: "<new>" if name in _NEW and each else comparable(each) for name, each in value.items()}
    if isinstance(value, str) and (decoded := decode(value)) is not None:
        return f"<{decoded[0]}>"
    return value
