"""Relay's Node: any object by its global id. Unknown, foreign and malformed ids are null, without an error."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Annotated, Any, Protocol
from uuid import UUID

import strawberry
from strawberry.types import get_object_definition

from app.core.errors import BadInput
from graph.context import Context, Info
from graph.core.ids import decode

MOST_IDS = 100


@strawberry.interface(description="An object with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="The object's global id; opaque, and the same for good.")


class LoadNodes(Protocol):
    """`load_nodes` of a node type: rows the caller may see, None elsewhere, in the order and length of `ids`."""

    def __call__(self, context: Context, ids: Sequence[UUID]) -> Awaitable[Sequence[Node | None]]: ...


def node_loaders(types: Sequence[type]) -> Mapping[str, LoadNodes]:
    """Type name -> load_nodes, of every node type. Raises TypeError for a node type that cannot be loaded."""
    loaders: dict[str, LoadNodes] = {}
    for origin in types:
        definition = get_object_definition(origin)
        if definition is None or definition.is_interface or not issubclass(origin, Node):
            continue
        loader = getattr(origin, "load_nodes", None)
        if loader is None:
            raise TypeError(f"{definition.name} is a Node: give it a static method load_nodes(context, ids)")
        loaders[definition.name] = loader
    return loaders


async def load_nodes(loaders: Mapping[str, LoadNodes], context: Context, ids: Sequence[str]) -> list[Node | None]:
    """The objects behind global ids, in order. One batch per type; types load at the same time."""
    wanted: dict[str, list[UUID]] = {}
    decoded = [decode(each) for each in ids]
    for each in decoded:
        if each is not None and each[0] in loaders:
            wanted.setdefault(each[0], []).append(each[1])
    batches = {name: list(dict.fromkeys(rows)) for name, rows in wanted.items()}
    answers = await asyncio.gather(*(loaders[name](context, rows) for name, rows in batches.items()))
    found: dict[tuple[str, UUID], Node | None] = {}
    for (name, rows), nodes in zip(batches.items(), answers, strict=True):
        found.update(zip(((name, row) for row in rows), nodes, strict=True))
    return [None if each is None else found.get(each) for each in decoded]


def loaders_of(info: strawberry.Info[Any, Any]) -> Mapping[str, LoadNodes]:
    loaders: Mapping[str, LoadNodes] = info.schema.node_loaders  # type: ignore[attr-defined]
    return loaders


@strawberry.type
class NodeQueries:
    """`node` and `nodes`, for the root Query."""

    @strawberry.field(  # type: ignore[untyped-decorator]
        description="The object with this global id, or null. Needs a signed-in caller."
    )
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")]
    ) -> Node | None:
        return (await load_nodes(loaders_of(info), info.context, [id]))[0]

    @strawberry.field(  # type: ignore[untyped-decorator]
        description="The objects with these global ids, in order, null where there is none. Needs a signed-in caller."
    )
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Up to 100 global ids.")],
    ) -> list[Node | None]:
        if len(ids) > MOST_IDS:
            raise BadInput(f"Ask for at most {MOST_IDS} ids at once: there were {len(ids)}.")
        return await load_nodes(loaders_of(info), info.context, ids)
