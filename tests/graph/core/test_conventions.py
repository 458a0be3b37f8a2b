"""The schema refuses to be built when it breaks a convention, and says where."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
import strawberry

from app.core.use_case import requires
from graph.context import Info
from graph.core.build import PublicSchema, build_schema, root
from graph.core.connections import bounded
from graph.core.conventions import SchemaMistakes
from graph.core.enums import describe_enum
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query


@requires(None)
async def nothing(caller: Any) -> None: ...


@strawberry.type(description="A part.")
class Part:
    name: str = strawberry.field(description="Its name.")


@strawberry.type(description="A whole.")
class Whole:
    parts: list[Part] = strawberry.field(description="Its parts.")


@strawberry.type(description="A whole of few parts.")
class SmallWhole:
    parts: list[Part] = strawberry.field(description="Its parts.", metadata=bounded("there are two"))


@strawberry.type(description="Old.")
class Old:
    name: str = strawberry.field(description="Its name.", deprecation_reason="Use something else.")


@strawberry.type(description="Silent.")
class Silent:
    name: str


@strawberry.type(description="Nobody can load it.")
class Unloadable(Node):
    name: str = strawberry.field(description="Its name.")


@strawberry.input(description="What doIt needs.")
class DoItInput(IdempotentInput):
    name: str = strawberry.field(description="A name.")


@strawberry.type(description="The answer of doIt.")
class DoItPayload(Payload):
    part: Part | None = strawberry.field(default=None, description="A part.")


@strawberry.type(description="A payload by another name.")
class OtherPayload(Payload):
    part: str | None = strawberry.field(default=None, description="A part.")


Given = Annotated[DoItInput, strawberry.argument(description="What.")]


def read(kind: Any) -> type:
    async def thing(self: Any, info: Info) -> Any: ...

    thing.__annotations__["return"] = kind
    return root(
        "Query",
        "Reads.",
        [strawberry.type(type("Q", (), {"thing": query(uses=nothing, description="A thing.")(thing)}))],
    )


def change(answers: type[Payload], *, anonymous: bool = False) -> type:
    async def do_it(self: Any, info: Info, input: Given) -> Any: ...

    do_it.__annotations__["return"] = answers
    declared = mutation(uses=nothing, description="Does it.", anonymous=anonymous)(do_it)
    return root("Mutation", "Writes.", [strawberry.type(type("M", (), {"do_it": declared}))])


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: build_schema(query=read(Silent)), "Silent.name has no description."),
        (lambda: build_schema(query=read(Whole)), "Whole.parts lists objects: make it a connection"),
        (lambda: build_schema(query=read(Unloadable)), "Unloadable is a Node: give it a static method load_nodes"),
        (lambda: build_schema(query=read(str), mutation=change(OtherPayload)), "doIt must answer `DoItPayload!`."),
        (lambda: build_schema(query=read(str), mutation=change(DoItPayload)), "DoItPayload.part cannot be answered again"),
        (lambda: build_schema(query=read(str), mutation=change(DoItPayload, anonymous=True)), "it must not take an idempotencyKey"),
        (lambda: build_schema(query=read(Old)), "Old.name is deprecated: say in its reason on which day"),
    ],
)  # fmt: skip
def test_a_broken_convention_is_named(build: Callable[[], PublicSchema], says: str) -> None:
    with pytest.raises(TypeError) as caught:
        build()

    assert says in str(caught.value)


def test_a_bounded_list_needs_no_connection() -> None:
    assert build_schema(query=read(SmallWhole))


def test_a_description_is_a_sentence() -> None:
    with pytest.raises(TypeError, match="describe it in one sentence"):
        query(uses=nothing, description="no full stop")(nothing)


def test_every_enum_value_is_described() -> None:
    from enum import Enum

    class Colour(Enum):
        RED = "red"
        BLUE = "blue"

    with pytest.raises(TypeError, match="BLUE"):
        describe_enum(Colour, "A colour.", {Colour.RED: "Like blood."})


def test_a_field_has_one_owner() -> None:
    @strawberry.type
    class One:
        a: int = strawberry.field(description="One.")

    @strawberry.type
    class Two:
        a: int = strawberry.field(description="Two.")

    with pytest.raises(TypeError, match="is declared by One and Two"):
        root("Query", "Reads.", [One, Two])


def test_permissions_are_printed(schema: PublicSchema) -> None:
    fields = schema._schema.mutation_type.fields  # type: ignore[union-attr]

    assert fields["addNote"].description == "Writes a note. Needs the permission `tenant.update`."
    assert fields["greet"].description == "Greets anybody. Open to everyone."
    assert schema.anonymous_mutations == {"greet"}


def test_the_public_schema_keeps_the_conventions() -> None:
    from graph.schema import schema as public

    assert isinstance(public, PublicSchema)
    assert issubclass(SchemaMistakes, TypeError)
