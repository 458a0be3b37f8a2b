"""Not yours is not there: every place of the schema that takes an id answers a foreign one as one that never existed.

Generated from the schema: a new field, argument or input is covered as soon as it stands.
"""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from graphql import GraphQLArgument, GraphQLField, GraphQLID, GraphQLNonNull, GraphQLString

from app.core.caller import Caller
from app.core.ids import new_id
from app.core.resources import Resources
from app.live.events import write_cursor
from db.core.transaction import current, tenant_transaction
from graph.core.ids import global_id
from tests.house.schema_client import SchemaClient, codes, comparable, user_errors
from tests.house.schema_walk import Filling, IdPlace, Operation, Path, id_places, node_types, operations
from tests.house.world import World, make_world

TAKING_IDS = [each for each in operations() if id_places(each)]
TAKING_NONE = [each for each in operations("query", "subscription") if not id_places(each)]
# What belongs to the whole tenant by design, so that each of its members may name it.
OF_THE_WHOLE_TENANT = {"Tenant", "TenantSettings", "Suppression"}
LISTS_OF_THE_WHOLE_TENANT = {"suppressions"}


async def ask(
    client: SchemaClient,
    caller: Caller,
    operation: Operation,
    own: World,
    given: Mapping[Path, str],
    *,
    full: bool,
    on: str,
) -> dict[str, Any]:
    variables = Filling(own, operation, given, full=full).variables()
    if operation.kind == "subscription" and "after" in operation.field.args:
        variables["after"] = write_cursor(0)  # from the first event on, so that there is one to show
    parent = own.id(operation.parent) if operation.parent else None
    return await client.ask(caller, operation, variables, on=on, parent=parent)


def check(where: str, answer: dict[str, Any], expected: dict[str, Any], traces: frozenset[str]) -> None:
    assert "INTERNAL" not in codes(answer) + codes(expected), f"{where}: {answer} {expected}"
    assert comparable(answer) == comparable(expected), f"{where} tells a foreign id from an unknown one"
    check_traces(where, answer, traces)


def check_traces(where: str, answer: dict[str, Any], traces: frozenset[str]) -> None:
    text = orjson.dumps(answer).decode().lower()
    assert [trace for trace in traces if trace in text] == [], f"{where} shows what is not the caller's: {answer}"


def types_at(place: IdPlace) -> list[str]:
    return node_types() if place.type_name == "Node" else [place.type_name]


async def check_places(
    client: SchemaClient, caller: Caller, operation: Operation, own: World, foreign: World, traces: frozenset[str]
) -> None:
    """Each place alone with each foreign object of its type, all else being the caller's own."""
    for place in id_places(operation):
        for type_name in set(types_at(place)) - (OF_THE_WHOLE_TENANT if own.tenant_id == foreign.tenant_id else set()):
            for full in (True, False):
                unknown = {place.path: global_id(type_name, new_id())}
                expected = await ask(client, caller, operation, own, unknown, full=full, on=type_name)
                for state, foreign_id in foreign.ids(type_name).items():
                    answer = await ask(
                        client, caller, operation, own, {place.path: foreign_id}, full=full, on=type_name
                    )
                    check(f"{place} {type_name} {state}", answer, expected, traces)


async def check_together(
    client: SchemaClient, caller: Caller, operation: Operation, own: World, foreign: World, traces: frozenset[str]
) -> None:
    """All places at once: ids that fit each other, and the caller."""
    places = [each for each in id_places(operation) if each.type_name != "Node"]
    if len(places) < 2:
        return
    filling = Filling(foreign, operation, {})
    given = {each.path: filling.fitting_id(each.type_name) for each in places}
    unknown = {each.path: global_id(each.type_name, new_id()) for each in places}
    answer = await ask(client, caller, operation, own, given, full=True, on="")
    expected = await ask(client, caller, operation, own, unknown, full=True, on="")
    check(f"{operation} with foreign ids throughout", answer, expected, traces)


@pytest.mark.parametrize("operation", TAKING_IDS, ids=str)
async def test_another_tenants_id_is_as_one_that_never_existed(
    client: SchemaClient,
    ours: World,
    theirs: World,
    our_rows: dict[str, str],
    their_rows: dict[str, str],
    their_traces: frozenset[str],
    operation: Operation,
) -> None:
    await check_places(client, ours.owner, operation, ours, theirs, their_traces)
    await check_together(client, ours.owner, operation, ours, theirs, their_traces)

    assert await theirs.changed_tables(their_rows) == []
    assert await ours.changed_tables(our_rows) == []


@pytest.mark.parametrize("operation", TAKING_IDS, ids=str)
async def test_the_statements_alone_keep_tenants_apart(
    client: SchemaClient,
    ours: World,
    theirs: World,
    their_rows: dict[str, str],
    their_traces: frozenset[str],
    no_row_security: None,
    operation: Operation,
) -> None:
    """The second wall without the third: as a superuser, whom no policy stops, every statement names its tenant."""
    await check_places(client, ours.owner, operation, ours, theirs, their_traces)
    await check_together(client, ours.owner, operation, ours, theirs, their_traces)

    assert await theirs.changed_tables(their_rows) == []


@pytest.mark.parametrize("operation", TAKING_IDS, ids=str)
async def test_what_stands_in_a_workspace_that_one_does_not_see_is_as_what_never_existed(
    client: SchemaClient, shared: World, operation: Operation
) -> None:
    before = await shared.rows()

    others = shared.without("bystander").without("next door")  # their own membership and session are theirs
    for caller, own in ((shared.neighbour, shared.next_door), (shared.tenant.bystander, shared.bystanding)):
        await check_places(client, caller, operation, own, others, shared.traces_of_home)
        await check_together(client, caller, operation, own, others, shared.traces_of_home)

    assert await shared.changed_tables(before) == []


@pytest.mark.parametrize("operation", [each for each in TAKING_IDS if each.kind != "mutation"], ids=str)
async def test_the_same_call_with_an_id_of_ones_own_goes_through(
    client: SchemaClient, ours: World, operation: Operation
) -> None:
    """Without this the calls above could be refused long before the foreign id matters. Mutations: test_permissions.py."""
    world = ours
    places = id_places(operation)

    for type_name in types_at(places[0]):
        given = {each.path: world.id(type_name) for each in places if each.type_name == "Node"}
        answer = await ask(client, world.owner, operation, world, given, full=True, on=type_name)

        assert (codes(answer), user_errors(answer)) == ([], []), f"{operation} {type_name}: {answer}"
        assert world.is_shown_by(answer), f"{operation} {type_name}: {answer}"


@pytest.mark.parametrize("operation", [each for each in TAKING_IDS if each.kind != "mutation"], ids=str)
async def test_what_stands_in_ones_own_workspace_is_read(
    client: SchemaClient, shared: World, operation: Operation
) -> None:
    """Without this the neighbour could be refused for another reason than the workspace."""
    own = shared.next_door

    for type_name in types_at(id_places(operation)[0]):
        if type_name in shared.beside:
            given = {each.path: own.id(type_name) for each in id_places(operation) if each.type_name == "Node"}
            answer = await ask(client, shared.neighbour, operation, own, given, full=False, on=type_name)

            assert codes(answer) == [], f"{operation} {type_name}: {answer}"
            assert own.is_shown_by(answer) or "silent" in answer or "sendingReport" in str(answer), (
                f"{operation} {type_name}: {answer}"
            )


@pytest.mark.parametrize("operation", TAKING_NONE, ids=str)
async def test_what_is_read_without_an_id_is_the_callers_own(
    client: SchemaClient, ours: World, shared: World, their_traces: frozenset[str], operation: Operation
) -> None:
    own = await ask(client, ours.owner, operation, ours, {}, full=False, on="")
    beside = await ask(client, shared.neighbour, operation, shared, {}, full=False, on="")

    assert codes(own) == []
    assert ours.is_shown_by(own)
    check_traces(str(operation), own, their_traces)
    assert set(codes(beside)) <= {"FORBIDDEN"}
    if operation.name not in LISTS_OF_THE_WHOLE_TENANT:
        check_traces(str(operation), beside, shared.traces_of_home)


@pytest.mark.parametrize("operation", [each for each in operations() if "after" in each.field.args], ids=str)
async def test_another_tenants_cursor_leads_nowhere(
    client: SchemaClient, ours: World, theirs: World, their_traces: frozenset[str], operation: Operation
) -> None:
    theirs_page = await ask(client, theirs.owner, operation, theirs, {}, full=False, on="")
    cursors = cursors_in(theirs_page)
    assert cursors, theirs_page

    for cursor in cursors:
        answer = await ask(client, ours.owner, operation, ours, {("after",): cursor}, full=False, on="")

        assert "INTERNAL" not in codes(answer)
        check_traces(str(operation), answer, their_traces)


def cursors_in(answer: Any) -> list[str]:
    if isinstance(answer, dict):
        own = [answer["cursor"]] if isinstance(answer.get("cursor"), str) else []
        return own + [each for value in answer.values() for each in cursors_in(value)]
    return [each for value in answer for each in cursors_in(value)] if isinstance(answer, list) else []


async def test_another_tenants_idempotency_key_is_not_ones_own(
    client: SchemaClient, ours: World, house: Resources
) -> None:
    """The same key and the same input in another tenant: the call is made, and its answer is not the other one's."""
    first = await make_world(house)
    (operation,) = [each for each in operations("mutation") if each.name == "createWorkspace"]
    variables = {"input": {"name": "Twice", "idempotencyKey": "the same"}}

    theirs = await client.ask(first.owner, operation, variables)
    again = await client.ask(first.owner, operation, variables)
    own = await client.ask(ours.owner, operation, variables)

    assert theirs == again
    assert own["data"]["createWorkspace"]["userErrors"] == []
    assert own["data"]["createWorkspace"]["workspace"]["id"] != theirs["data"]["createWorkspace"]["workspace"]["id"]


async def test_as_a_superuser_the_rows_of_others_are_in_reach(
    ours: World, theirs: World, no_row_security: None
) -> None:
    """Or the test of the statements alone would prove nothing."""
    async with tenant_transaction(ours.tenant_id, read_only=True):
        tenants = {row["tenant_id"] for row in await current().fetch("SELECT DISTINCT tenant_id FROM contacts")}

    assert tenants >= {ours.tenant_id, theirs.tenant_id}


def test_an_id_that_nobody_knows_how_to_fill_fails_with_what_to_do() -> None:
    field = GraphQLField(GraphQLString, {"thingId": GraphQLArgument(GraphQLNonNull(GraphQLID))})

    with pytest.raises(
        AssertionError, match=r'add "frob.thingId": "<Type>" to ID_TYPES in tests/house/schema_walk\.py'
    ):
        id_places(Operation("query", "frob", field))
