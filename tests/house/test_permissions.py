"""Who may do what: each operation, called in each role, is refused exactly where the permission table says, changing nothing.

The permission of an operation is the one that its description prints; that a refusal names the same one, and that the
resolver calls the use case it declares, is checked too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import get_named_type

from app.core.caller import Caller
from app.core.permissions import TENANT_PERMISSIONS, WORKSPACE_PERMISSIONS, Permission, TenantRole, WorkspaceRole
from app.core.resources import Resources
from graph.schema import schema
from tests.app.identity.tenants import PEOPLE
from tests.house.schema_client import SchemaClient, codes, user_errors
from tests.house.schema_walk import Filling, Operation, id_places, needed_permission, node_types, operations
from tests.house.world import World, make_world

GRAPH = Path(__file__).resolve().parents[2] / "graph"
SIGNED_IN = "Needs a signed-in caller."
# Objects that belong to no workspace: a permission that somebody has in one workspace counts for them.
OF_NO_WORKSPACE = {"Tenant", "TenantSettings", "Suppression", "Session", "Member", "Invitation", "Job", "User", "Node"}
WEAKEST_FIRST = ("member", "workspace_admin", "admin", "owner")
# Operations that ask for more than their description's permission, as its own words say.
FURTHER = {"removeMember": Permission.MEMBERS_MANAGE}  # everybody may leave; this is about removing others
# Operations that do nothing without a code from a mail or an authenticator app, or a token of an earlier answer.
NEED_A_SECRET = {
    "verifyEmail", "resetPassword", "refreshSession", "acceptInvitation",
    "confirmTotp", "disableTotp", "regenerateRecoveryCodes",
}  # fmt: skip


def permission_of(operation: Operation) -> Permission | None:
    """None: open to everyone, or (node, nodes) to everyone who is signed in."""
    if (operation.field.description or "").endswith(SIGNED_IN):
        return None
    if operation.name in FURTHER:
        assert FURTHER[operation.name].value in (operation.field.description or "")
        return FURTHER[operation.name]
    word = needed_permission(operation.field)
    return None if word is None else Permission(word)


def has(permission: Permission | None, role: TenantRole, workspace_role: WorkspaceRole | None) -> bool:
    """As app/core/permissions.py says."""
    if permission is None or permission in TENANT_PERMISSIONS[role]:
        return True
    return workspace_role is not None and permission in WORKSPACE_PERMISSIONS[workspace_role]


def allowed(person: str, operation: Operation) -> bool:
    permission = permission_of(operation)
    if person == "anonymous":
        return permission is None and operation.name in schema.anonymous_mutations
    if person == "mixed":  # administers another workspace, is a viewer of the one that the objects are in
        in_workspace = any(each.type_name not in OF_NO_WORKSPACE for each in id_places(operation))
        return has(permission, TenantRole.MEMBER, WorkspaceRole.VIEWER if in_workspace else WorkspaceRole.ADMIN)
    return has(permission, *PEOPLE[person])


async def ask(client: SchemaClient, caller: Caller, operation: Operation, world: World, **given: str) -> dict[str, Any]:
    variables = Filling(world, operation, {}).variables()
    parent = world.id(operation.parent) if operation.parent else None
    on = "Workspace" if any(each.type_name == "Node" for each in id_places(operation)) else None
    return await client.ask(caller, operation, variables, on=on, parent=parent)


def is_refused(answer: dict[str, Any]) -> bool:
    return bool({"FORBIDDEN", "UNAUTHENTICATED"} & set(codes(answer)))


@pytest.mark.parametrize("operation", operations(), ids=str)
async def test_who_may_not_is_refused_by_the_permission_that_the_description_names(
    client: SchemaClient, theirs: World, their_rows: dict[str, str], operation: Operation
) -> None:
    permission = permission_of(operation)

    for person in [*PEOPLE, "mixed", "anonymous"]:
        if not allowed(person, operation):
            answer = await ask(client, theirs.caller(person), operation, theirs)

            expected = "UNAUTHENTICATED" if person == "anonymous" else "FORBIDDEN"
            assert codes(answer) == [expected], f"{operation} as {person}: {answer}"
            assert answer.get("data") in (None, {operation.name: None}), f"{operation} as {person}: {answer}"
            if person != "anonymous":
                assert answer["errors"][0]["message"] == f"You need the permission {permission}.", answer

    assert await theirs.changed_tables(their_rows) == []


@pytest.mark.parametrize("operation", operations("query", "subscription"), ids=str)
async def test_who_may_reads(client: SchemaClient, theirs: World, operation: Operation) -> None:
    for person in [*PEOPLE, "mixed"]:
        if allowed(person, operation):
            answer = await ask(client, theirs.caller(person), operation, theirs)

            assert codes(answer) in ([], ["BAD_INPUT"] if person == "bystander" else []), (
                f"{operation} as {person}: {answer}"
            )


@pytest.mark.parametrize("operation", operations("mutation"), ids=str)
async def test_who_may_changes(client: SchemaClient, house: Resources, operation: Operation) -> None:
    """The weakest role that may gets it done; the stronger ones are not refused, whatever is left for them to do."""
    world = await make_world(house)
    people = [each for each in WEAKEST_FIRST if allowed(each, operation)]
    if allowed("bystander", operation):
        people.reverse()  # one's own password and sessions: the owner's are the world's
    if operation.name in schema.anonymous_mutations:
        people = ["anonymous", *people]

    first, *others = [await ask(client, world.caller(person), operation, world) for person in people]

    assert codes(first) == [], f"{operation} as {people[0]}: {first}"
    if operation.name in NEED_A_SECRET:
        assert user_errors(first) != []
    else:
        assert user_errors(first) == [], f"{operation} as {people[0]}: {first}"
    assert [answer for answer in others if is_refused(answer)] == []


def test_every_permission_is_needed_by_an_operation() -> None:
    needed = {permission_of(each) for each in operations()}

    assert {each for each in Permission if each not in needed} == set()


def test_what_is_open_to_everyone_is_what_anonymous_callers_may_ask_for() -> None:
    is_open = {each.name for each in operations() if (each.field.description or "").endswith("Open to everyone.")}

    assert is_open == schema.anonymous_mutations


def readers() -> dict[str, Permission]:
    """By node type: the permission of the query that gives one of it, or a list."""
    found: dict[str, Permission] = {}
    for operation in operations("query"):
        name = get_named_type(operation.field.type).name.removesuffix("Connection")
        permission = permission_of(operation)
        if name in node_types() and permission is not None:
            found.setdefault(name, permission)
    return found


@pytest.mark.parametrize("type_name", sorted(readers()))
async def test_a_node_is_shown_to_those_only_who_may_list_it(
    client: SchemaClient, theirs: World, type_name: str
) -> None:
    (operation,) = [each for each in operations("query") if each.name == "node"]
    permission = readers()[type_name]

    for person in [*PEOPLE, "mixed"]:
        roles = PEOPLE.get(person, (TenantRole.MEMBER, WorkspaceRole.VIEWER))
        for state, node_id in theirs.ids(type_name).items():
            answer = await client.ask(theirs.caller(person), operation, {"id": node_id}, on=type_name)

            shown = bool((answer.get("data") or {}).get("node"))
            if not has(permission, *roles):
                assert not shown, f"{type_name} {state} as {person}: {answer}"
            elif type_name not in ("Session", "Workspace"):  # one's own, and those that one sees
                assert shown, f"{type_name} {state} as {person}: {answer}"


Function = ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every coroutine in graph/: a function under `<file>.<name>`, a method also under `<Class>.<name>`."""
    for path in sorted(GRAPH.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for owner in ast.walk(tree):
            for node in getattr(owner, "body", []) if isinstance(owner, ast.ClassDef | ast.Module) else []:
                if isinstance(node, Function):
                    yield f"{owner.name if isinstance(owner, ast.ClassDef) else path.stem}.{node.name}", node


def named_in(function: Function) -> set[str]:
    """The last two parts of everything that the body names, such as `use.contacts` and `Contact.load_nodes`."""
    nodes = [each for statement in function.body for each in ast.walk(statement)]
    names = {each.id for each in nodes if isinstance(each, ast.Name)}
    return names | {ast.unparse(each) for each in nodes if isinstance(each, ast.Attribute)}


def test_a_resolver_calls_the_use_case_that_it_declares() -> None:
    """Directly, or through the loader or the load_nodes that it names."""
    known = dict(functions())
    by_name = {place.rpartition(".")[2]: each for place, each in known.items()}
    wrong = []

    for place, function in known.items():
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") in (
                "query",
                "mutation",
                "subscription",
            ):
                (uses,) = [ast.unparse(each.value) for each in decorator.keywords if each.arg == "uses"]
                reached = named_in(function)
                for _ in range(2):
                    through = [known.get(name) or (by_name.get(name) if "." not in name else None) for name in reached]
                    reached = reached.union(*(named_in(each) for each in through if each is not None))
                if uses.rpartition(".")[2] not in {name.rpartition(".")[2] for name in reached}:
                    wrong.append(f"{place} declares {uses}")

    assert len(known) > 100
    assert wrong == []
