"""What is kept of a payload, so that the same idempotency key gives the same answer: ids and leaves, never objects.

Objects are loaded again as nodes, so that a replay shows what the caller may see now.
"""

from collections.abc import Mapping
from enum import Enum
from hashlib import sha256
from typing import Any

import orjson
import strawberry
from strawberry.types import get_object_definition

from app.core.errors import ErrorCode
from graph.core.errors import UserError
from graph.core.node import Node, load_nodes, loaders_of

_ERRORS = "user_errors"


def input_hash(given: Any) -> bytes:
    """SHA-256 of an input's values, its idempotency key left out. What was not given differs from null."""
    values = _plain(given)
    values.pop("idempotency_key", None)
    return sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).digest()


def answer_of(payload: Any) -> dict[str, Any]:
    """A payload as JSON: {"userErrors": [...], "fields": {name: {"node": id} | {"nodes": [id]} | {"leaf": value}}}."""
    errors = [{"message": each.message, "path": each.path, "code": each.code.value} for each in payload.user_errors]
    kept = {name: _kept(getattr(payload, name)) for name in _names(type(payload))}
    return {"userErrors": errors, "fields": {name: value for name, value in kept.items() if value is not None}}


async def replayed(payload: type[Any], answer: Mapping[str, Any], info: strawberry.Info[Any, Any]) -> Any:
    """The payload of a stored answer. An object that is gone, or not the caller's any more, is null."""
    fields = {name: await _restored(kept, info) for name, kept in answer["fields"].items()}
    errors = [
        UserError(message=each["message"], path=each["path"], code=ErrorCode(each["code"]))
        for each in answer["userErrors"]
    ]
    return payload(user_errors=errors, **fields)


def _kept(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, Node):
        return {"node": value.id}
    if isinstance(value, list) and all(isinstance(each, Node) for each in value):
        return {"nodes": [each.id for each in value]}
    if isinstance(value, bool | int | float | str):
        return {"leaf": value}
    raise TypeError(f"an idempotent payload cannot hold {type(value).__name__}: it could not be answered again")


async def _restored(kept: Mapping[str, Any], info: strawberry.Info[Any, Any]) -> Any:
    if "node" in kept:
        return (await load_nodes(loaders_of(info), info.context, [kept["node"]]))[0]
    if "nodes" in kept:
        nodes = await load_nodes(loaders_of(info), info.context, kept["nodes"])
        return [node for node in nodes if node is not None]
    return kept["leaf"]


def _names(payload: type[Any]) -> list[str]:
    definition = get_object_definition(payload, strict=True)
    return [field.python_name for field in definition.fields if field.python_name != _ERRORS]


def _plain(value: Any) -> Any:
    definition = get_object_definition(value)
    if definition is not None:
        pairs = ((field.python_name, getattr(value, field.python_name)) for field in definition.fields)
        return {name: _plain(inner) for name, inner in pairs if inner is not strawberry.UNSET}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value
