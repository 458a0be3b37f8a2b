"""Identity as clients see it: from signing up to inviting others, and what is not theirs."""

import re
from typing import Any

import pytest

from app.core.caller import Caller, job_caller
from app.core.door import ConnectionFacts
from app.core.ids import NIL
from app.core.permissions import TenantRole
from app.identity import viewers as use
from app.identity.door import SessionDoor
from app.identity.invitations import invitations, invite_member, send_invitation
from app.identity.user_mail import send_verification_to
from graph.core.ids import global_id
from graph.schema import schema
from tests.app.identity.conftest import PASSWORD, World, new_email
from tests.app.identity.tenants import MadeTenant, snapshot
from tests.graph.core.client import run

FACTS = ConnectionFacts(address="192.0.2.5", user_agent="browser", request_id="r1")
ERRORS = "userErrors { code message path }"
SIGN_UP = f"mutation($input: SignUpInput!) {{ signUp(input: $input) {{ message session {{ accessToken refreshToken expiresAt }} tenant {{ id }} workspace {{ id }} {ERRORS} }} }}"
SIGN_IN = f"""mutation($input: SignInInput!) {{ signIn(input: $input) {{ session {{ accessToken refreshToken expiresAt }}
  tenant {{ id name }} workspace {{ id }} viewer {{ role permissions user {{ email }} tenants {{ tenant {{ id }} role }} }} {ERRORS} }} }}"""


async def call(caller: Caller, query: str, variables: dict[str, Any] | None = None) -> Any:
    """The one root field of an operation that must have gone well at the top level."""
    answer = await run(schema, caller, query, variables)
    assert "errors" not in answer, answer
    (field,) = answer["data"].values()
    return field


async def admitted(world: World, access_token: str) -> Caller:
    return await SessionDoor(world.resources).admit(f"Bearer {access_token}", FACTS)


async def test_from_signing_up_to_working_together(world: World) -> None:
    email, colleague = new_email(), new_email()
    form = {"email": email, "password": PASSWORD, "name": "Ada", "tenantName": "Engines"}

    signed_up = await call(world.visitor(), SIGN_UP, {"input": form})
    at_once = await admitted(world, signed_up["session"]["accessToken"])
    before = await call(at_once, "{ viewer { user { email emailVerified } role } }")
    await send_verification_to(world.worker, email)
    verified = await call(
        world.visitor(),
        f"mutation($input: VerifyEmailInput!) {{ verifyEmail(input: $input) {{ email {ERRORS} }} }}",
        {"input": {"token": world.letterbox.token_to(email)}},
    )
    signed_in = await call(world.visitor(), SIGN_IN, {"input": {"email": email, "password": PASSWORD}})
    ada = await admitted(world, signed_in["session"]["accessToken"])
    viewer = await call(
        ada,
        "{ viewer { user { email emailVerified } tenant { id name } role workspaceRoles { role } tenants { tenant { name } role } } }",
    )
    invited = await call(
        ada,
        f"mutation($input: InviteMemberInput!) {{ inviteMember(input: $input) {{ invitation {{ email state role workspaceRoles {{ workspaceId role }} }} {ERRORS} }} }}",
        {
            "input": {
                "email": colleague,
                "role": "MEMBER",
                "workspaceRoles": [{"workspaceId": signed_in["workspace"]["id"], "role": "VIEWER"}],
            }
        },
    )
    row = (await invitations(ada, first=1)).items[0]
    await send_invitation(job_caller(world.resources, ada.tenant_id, "test"), row.id)
    accepted = await call(
        world.visitor(),
        f"mutation($input: AcceptInvitationInput!) {{ acceptInvitation(input: $input) {{ session {{ accessToken }} tenant {{ name }} workspace {{ id }} {ERRORS} }} }}",
        {"input": {"token": world.letterbox.token_to(colleague), "name": "Grace", "password": PASSWORD}},
    )
    grace = await admitted(world, accepted["session"]["accessToken"])
    seen = await call(grace, "{ workspaces { edges { node { id name slug } } } }")
    members = await call(ada, "{ members { edges { node { email role workspaceRoles { role } } } } }")

    assert signed_up["userErrors"] == []
    assert "Check your mail" in signed_up["message"]
    assert before == {"user": {"email": email, "emailVerified": False}, "role": "OWNER"}
    assert (signed_up["tenant"]["id"], signed_up["workspace"]) == (signed_in["tenant"]["id"], signed_in["workspace"])
    assert verified == {"email": email, "userErrors": []}
    assert signed_in["viewer"]["user"] == {"email": email}
    assert signed_in["viewer"]["tenants"] == [{"tenant": {"id": signed_in["tenant"]["id"]}, "role": "OWNER"}]
    assert "members.manage" in signed_in["viewer"]["permissions"]
    assert viewer == {
        "user": {"email": email, "emailVerified": True},
        "tenant": {"id": signed_in["tenant"]["id"], "name": "Engines"},
        "role": "OWNER",
        "workspaceRoles": [],
        "tenants": [{"tenant": {"name": "Engines"}, "role": "OWNER"}],
    }
    assert invited["invitation"] == {
        "email": colleague,
        "state": "PENDING",
        "role": "MEMBER",
        "workspaceRoles": [{"workspaceId": signed_in["workspace"]["id"], "role": "VIEWER"}],
    }
    assert accepted["workspace"] == {"id": signed_in["workspace"]["id"]}
    assert seen["edges"] == [{"node": {"id": signed_in["workspace"]["id"], "name": "Engines", "slug": "engines"}}]
    assert [each["node"]["email"] for each in members["edges"]] == [colleague, email]


def blurred(value: Any) -> Any:
    """Ids, tokens and moments as their lengths: what is left must not tell one answer from another."""
    if isinstance(value, dict):
        return {name: blurred(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [blurred(inner) for inner in value]
    if not isinstance(value, str) or " " in value:
        return value
    return "moment" if re.fullmatch(r"20\d\d-\d\d-\d\dT.*", value) else f"{len(value)} characters"


OVERVIEW = """{
  viewer { user { email displayName emailVerified } tenant { id name } role permissions tenants { role } }
  workspaces { edges { node { name slug } } } members { edges { node { role } } } invitations { edges { node { id } } }
  sessions { edges { node { isCurrent } } }
  jobs { edges { node { kind state attempt } } } jobQueues { name depth scheduled running dead }
}"""


async def test_signing_up_with_a_known_address_answers_alike_and_shows_alike(world: World) -> None:
    user = await world.verified_person()
    nobody = f"bob-{user.email[4:]}"
    form = {"password": "not her password", "name": "Mallory", "tenantName": "Evil"}
    reset = (
        f"mutation($input: RequestPasswordResetInput!) {{ requestPasswordReset(input: $input) {{ message {ERRORS} }} }}"
    )
    answers = []

    for email in (user.email, nobody):
        answer = await run(schema, world.visitor(), SIGN_UP, {"input": form | {"email": email}})
        mallory = await admitted(world, answer["data"]["signUp"]["session"]["accessToken"])
        asked = await call(world.visitor(), reset, {"input": {"email": email}})
        again = await call(world.visitor(), SIGN_IN, {"input": {"email": email, "password": form["password"]}})
        seen = await run(schema, mallory, OVERVIEW)
        assert "errors" not in seen
        answers.append(blurred([answer, asked, again, seen["data"]]))

    assert answers[0] == answers[1]
    assert answers[0][0]["data"]["signUp"]["userErrors"] == []


async def test_refreshing_signing_out_and_passwords(world: World) -> None:
    user = await world.verified_person()
    entered = await call(world.visitor(), SIGN_IN, {"input": {"email": user.email, "password": PASSWORD}})
    refresh = f"mutation($input: RefreshSessionInput!) {{ refreshSession(input: $input) {{ session {{ accessToken refreshToken refreshExpiresAt }} {ERRORS} }} }}"

    second = await call(world.visitor(), refresh, {"input": {"refreshToken": entered["session"]["refreshToken"]}})
    ada = await admitted(world, second["session"]["accessToken"])
    listed = await call(ada, "{ sessions { edges { node { id isCurrent address } } } }")
    changed = await call(
        ada,
        f"mutation($input: ChangePasswordInput!) {{ changePassword(input: $input) {{ sessionsEnded {ERRORS} }} }}",
        {"input": {"currentPassword": PASSWORD, "newPassword": "short"}},
    )
    out = await call(ada, f"mutation {{ signOut(input: {{}}) {{ signedOut {ERRORS} }} }}")
    third = await call(world.visitor(), refresh, {"input": {"refreshToken": second["session"]["refreshToken"]}})

    assert [each["node"]["isCurrent"] for each in listed["edges"]] == [True]
    assert [(each["code"], each["path"]) for each in changed["userErrors"]] == [
        ("WEAK_PASSWORD", ["input", "newPassword"])
    ]
    assert out == {"signedOut": True, "userErrors": []}
    assert third["session"] is None
    assert [each["code"] for each in third["userErrors"]] == ["EXPIRED"]


async def test_a_created_workspace_is_answered_again_under_its_key(acme: MadeTenant) -> None:
    query = f"mutation($input: CreateWorkspaceInput!) {{ createWorkspace(input: $input) {{ workspace {{ id slug }} {ERRORS} }} }}"
    given = {"input": {"name": "Client", "idempotencyKey": "k1"}}

    first, second = await call(acme.owner, query, given), await call(acme.owner, query, given)

    assert first == second
    assert first["workspace"]["slug"] == "client"


async def test_settings_are_read_and_changed(acme: MadeTenant) -> None:
    changed = await call(
        acme.owner,
        f"mutation($input: UpdateTenantSettingsInput!) {{ updateTenantSettings(input: $input) {{ tenantSettings {{ timeZone postalAddress }} {ERRORS} }} }}",
        {"input": {"timeZone": "Europe/Berlin"}},
    )
    read = await call(acme.viewer, "{ tenantSettings { name timeZone defaultDailyCap } }")

    assert changed["tenantSettings"] == {"timeZone": "Europe/Berlin", "postalAddress": "Acme Ltd\n1 Road\nTown"}
    assert read == {"name": "Acme", "timeZone": "Europe/Berlin", "defaultDailyCap": 1000}


async def arguments(tenant: MadeTenant) -> dict[str, dict[str, Any]]:
    """Every mutation that takes an id, with ids of this tenant."""
    member = global_id("Member", tenant.member_id("member"))
    workspace = global_id("Workspace", tenant.workspace_id)
    assert tenant.member.session_id is not None
    invitation = await invite_member(tenant.owner, new_email(), TenantRole.MEMBER)
    return {
        "SwitchTenant": {"tenantId": global_id("Tenant", tenant.tenant_id)},
        "RevokeSession": {"sessionId": global_id("Session", tenant.member.session_id)},
        "UpdateWorkspace": {"workspaceId": workspace, "name": "Mine"},
        "ArchiveWorkspace": {"workspaceId": workspace},
        "ChangeMemberRole": {"memberId": member, "role": "ADMIN"},
        "SetWorkspaceRole": {"memberId": member, "workspaceId": workspace, "role": "ADMIN"},
        "RemoveWorkspaceRole": {"memberId": member, "workspaceId": workspace},
        "RemoveMember": {"memberId": member},
        "RevokeInvitation": {"invitationId": global_id("Invitation", invitation.id)},
        "InviteMember": {
            "email": new_email(),
            "role": "MEMBER",
            "workspaceRoles": [{"workspaceId": workspace, "role": "ADMIN"}],
        },
    }


OPERATIONS = (
    "SwitchTenant", "RevokeSession", "UpdateWorkspace", "ArchiveWorkspace", "ChangeMemberRole", "SetWorkspaceRole",
    "RemoveWorkspaceRole", "RemoveMember", "RevokeInvitation", "InviteMember",
)  # fmt: skip


def wrong(given: Any, kind: str) -> Any:
    """The same input with ids that no row has: malformed, nil, or of another type."""
    if isinstance(given, list):
        return [wrong(each, kind) for each in given]
    if not isinstance(given, dict):
        return given
    replaced = {"malformed": "?", "nil": None, "type": global_id("Nonsense", NIL)}[kind]
    return {
        name: (replaced or global_id(name[0].upper() + name[1:-2], NIL)) if name.endswith("Id") else wrong(value, kind)
        for name, value in given.items()
    }


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_foreign_unknown_and_malformed_ids_are_one_answer_and_change_nothing(
    acme: MadeTenant, other: MadeTenant, operation: str
) -> None:
    name = operation[0].lower() + operation[1:]
    query = f"mutation($input: {operation}Input!) {{ {name}(input: $input) {{ {ERRORS} }} }}"
    foreign = (await arguments(other))[operation]
    before = await snapshot(acme.tenant_id), await snapshot(other.tenant_id)

    answers = [
        await call(acme.owner, query, {"input": given})
        for given in (foreign, *(wrong(foreign, kind) for kind in ("malformed", "nil", "type")))
    ]

    assert [each["code"] for each in answers[0]["userErrors"]] == ["NOT_FOUND"]
    assert answers == [answers[0]] * 4
    assert (await snapshot(acme.tenant_id), await snapshot(other.tenant_id)) == before


async def test_foreign_nodes_are_null(acme: MadeTenant, other: MadeTenant) -> None:
    assert other.owner.session_id is not None
    assert other.owner.user_id is not None
    assert acme.owner.user_id is not None
    foreign = [
        global_id("Tenant", other.tenant_id),
        global_id("Workspace", other.workspace_id),
        global_id("Member", other.member_id("owner")),
        global_id("Session", other.owner.session_id),
        global_id("User", other.owner.user_id),
    ]
    own = [
        global_id("Tenant", acme.tenant_id),
        global_id("Workspace", acme.workspace_id),
        global_id("Member", acme.member_id("viewer")),
        global_id("User", acme.owner.user_id),
    ]

    nodes = await call(acme.owner, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [*foreign, "?", *own]})
    workspace = await call(acme.owner, "query($id: ID!) { workspace(id: $id) { id } }", {"id": foreign[1]})

    assert nodes == [None] * 6 + [{"id": each} for each in own]
    assert workspace is None


@pytest.mark.parametrize(
    "query",
    [
        "{ members { edges { node { id } } } }",
        "{ invitations { edges { node { id } } } }",
        'mutation { createWorkspace(input: {name: "x"}) { userErrors { code } } }',
        'mutation { inviteMember(input: {email: "a@b.example", role: ADMIN}) { userErrors { code } } }',
        'mutation { updateTenantSettings(input: {name: "x"}) { userErrors { code } } }',
    ],
)
async def test_what_a_role_does_not_allow_is_forbidden_and_changes_nothing(acme: MadeTenant, query: str) -> None:
    before = await snapshot(acme.tenant_id)

    answer = await run(schema, acme.workspace_admin, query)

    assert [each["extensions"]["code"] for each in answer["errors"]] == ["FORBIDDEN"]
    assert await snapshot(acme.tenant_id) == before


async def test_nobody_without_a_token_gets_past_the_sign_in_operations(world: World) -> None:
    for query in (
        "{ viewer { role } }",
        "{ workspaces { edges { node { id } } } }",
        "mutation { signOut(input: {}) { signedOut } }",
    ):
        answer = await run(schema, world.visitor(), query)

        assert [each["extensions"]["code"] for each in answer["errors"]] == ["UNAUTHENTICATED"]


async def test_ones_tenants_are_loaded_once_however_often_they_are_selected(
    acme: MadeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Caller] = []
    own_tenants = use.own_tenants

    async def counting(caller: Caller) -> list[use.OwnTenant]:
        asked.append(caller)
        return await own_tenants(caller)

    monkeypatch.setattr(use, "own_tenants", counting)
    selections = " ".join(
        f"v{number}: viewer {{ a: tenants {{ role }} b: tenants {{ role }} }}" for number in range(20)
    )

    answer = await run(schema, acme.owner, f"{{ {selections} }}")

    assert [viewer["b"] for viewer in answer["data"].values()] == [[{"role": "OWNER"}]] * 20
    assert len(asked) == 1
    assert answer["extensions"]["cost"]["requested"] == 20 * (1 + 50 + 50)


async def test_after_switching_ones_tenants_are_those_of_the_new_session(acme: MadeTenant) -> None:
    switched = await call(
        acme.member,
        f"mutation($input: SwitchTenantInput!) {{ switchTenant(input: $input) {{ viewer {{ role tenants {{ tenant {{ id }} role }} }} {ERRORS} }} }}",
        {"input": {"tenantId": global_id("Tenant", acme.tenant_id)}},
    )

    assert switched["viewer"]["tenants"] == [{"tenant": {"id": global_id("Tenant", acme.tenant_id)}, "role": "MEMBER"}]
