"""Invitations: made, sent, taken back, and accepted by each kind of person."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.core.caller import job_caller
from app.core.clock import FixedClock
from app.core.errors import DomainError, Forbidden, LimitReached, NotFound, Required, Taken
from app.core.ids import NIL, new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.secrets import Token
from app.identity.accounts import verify_email
from app.identity.errors import AddressHasAccount, LinkOver, WrongCredentials
from app.identity.invitations import (
    InvitationOver,
    WorkspaceGrant,
    invitations,
    invitations_by_ids,
    invite_member,
    revoke_invitation,
    send_invitation,
)
from app.identity.joining import accept_invitation
from app.identity.members import members, remove_member
from app.identity.rules.member_changes import NotAllowed
from app.identity.rules.password_policy import WeakPassword
from app.identity.sessions import sign_in
from app.identity.sign_ups import SignUp, sign_up
from app.identity.user_mail import send_verification_to
from tests.app.identity.conftest import PASSWORD, World, new_email
from tests.app.identity.tenants import MadeTenant, actions_of, jobs_of, make_tenant, snapshot, topics_of


async def invited(world: World, acme: MadeTenant, email: str, *, role: TenantRole = TenantRole.MEMBER) -> str:
    """Invites to the workspace too, and reads the mail. Returns its code."""
    grants = [WorkspaceGrant(acme.workspace_id, WorkspaceRole.MEMBER)]
    invitation = await invite_member(acme.owner, email, role, workspace_roles=grants)
    await send_invitation(job_caller(world.resources, acme.tenant_id, "test"), invitation.id)
    return world.letterbox.token_to(email)


async def test_inviting_writes_the_invitation_and_queues_its_mail(acme: MadeTenant) -> None:
    email = new_email()
    grants = [WorkspaceGrant(acme.workspace_id, WorkspaceRole.VIEWER)]

    made = await invite_member(acme.admin, f" {email.upper()} ", TenantRole.MEMBER, workspace_roles=grants)

    assert (made.email_key, made.role, made.state, made.invited_by) == (email, "member", "pending", "Admin")
    assert made.workspace_roles == [{"workspace_id": str(acme.workspace_id), "role": "viewer"}]
    assert (made.expires_at - made.created_at).days == 7
    assert await jobs_of(acme.tenant_id) == ["invitation.send"]
    assert await topics_of(acme.tenant_id) == ["invitation.changed"]
    assert await actions_of(acme.tenant_id) == ["member.invite"]


async def test_a_retried_mail_carries_the_same_code_and_the_row_does_not_show_it(
    world: World, acme: MadeTenant
) -> None:
    email = new_email()
    first = await invited(world, acme, email)
    row = (await invitations(acme.owner, first=1)).items[0]

    await send_invitation(job_caller(world.resources, acme.tenant_id, "test"), row.id)

    secret = first.rpartition("_")[2].encode()
    assert world.letterbox.token_to(email) == first
    assert row.sealed_secret is not None
    assert secret not in row.sealed_secret
    assert "Acme" in world.letterbox.mails[-1].subject


async def test_invitations_that_are_refused_change_nothing(world: World, acme: MadeTenant, other: MadeTenant) -> None:
    email = new_email()
    await invite_member(acme.owner, email, TenantRole.MEMBER)
    member = (await members(acme.owner, first=1)).items[0].email
    foreign = [WorkspaceGrant(other.workspace_id, WorkspaceRole.ADMIN)]
    twice = [WorkspaceGrant(acme.workspace_id, WorkspaceRole.ADMIN)] * 2
    before = await snapshot(acme.tenant_id)

    with pytest.raises(Taken, match="invited already"):
        await invite_member(acme.owner, email.title(), TenantRole.MEMBER)
    with pytest.raises(Taken, match="member already"):
        await invite_member(acme.owner, member, TenantRole.MEMBER)
    with pytest.raises(NotAllowed):
        await invite_member(acme.admin, new_email(), TenantRole.OWNER)
    with pytest.raises(NotFound):
        await invite_member(acme.owner, new_email(), TenantRole.MEMBER, workspace_roles=foreign)
    with pytest.raises(LimitReached):
        await invite_member(acme.owner, new_email(), TenantRole.MEMBER, workspace_roles=twice)
    with pytest.raises(DomainError):
        await invite_member(acme.owner, "no address", TenantRole.MEMBER)
    with pytest.raises(Forbidden):
        await invite_member(acme.workspace_admin, new_email(), TenantRole.MEMBER)

    assert await snapshot(acme.tenant_id) == before


async def test_a_tenant_sends_a_hundred_invitations_an_hour(acme: MadeTenant) -> None:
    for _ in range(100):
        with pytest.raises(NotAllowed):
            await invite_member(acme.admin, new_email(), TenantRole.OWNER)

    with pytest.raises(LimitReached):
        await invite_member(acme.owner, new_email(), TenantRole.MEMBER)


async def test_someone_new_gives_name_and_password_and_is_in(world: World, acme: MadeTenant) -> None:
    email = new_email()
    token = await invited(world, acme, email)

    entered = await accept_invitation(world.visitor(), token, name="Grace", password=PASSWORD)

    user = await world.user(email)
    assert user.email_verified_at is not None
    assert (entered.tenant.id, entered.caller.role) == (acme.tenant_id, TenantRole.MEMBER)
    assert entered.caller.workspaces == {acme.workspace_id: WorkspaceRole.MEMBER}
    assert entered.workspace is not None
    assert entered.workspace.id == acme.workspace_id
    assert (await topics_of(acme.tenant_id))[1:] == ["member.joined", "invitation.changed"]
    assert (await actions_of(acme.tenant_id))[1:] == ["invitation.accept", "session.accept_invitation"]
    row = (await invitations(acme.owner, first=1)).items[0]
    assert (row.state, row.sealed_secret) == ("accepted", None)
    assert (await sign_in(world.visitor(), email, PASSWORD)).tenant.id == acme.tenant_id


async def test_someone_with_an_account_gives_its_password(world: World, acme: MadeTenant) -> None:
    user = await world.verified_person()
    token = await invited(world, acme, user.email)
    before = await snapshot(acme.tenant_id)

    with pytest.raises(Required):
        await accept_invitation(world.visitor(), token)
    with pytest.raises(WrongCredentials):
        await accept_invitation(world.visitor(), token, name="Mallory", password="the mallory password")
    assert await snapshot(acme.tenant_id) == before
    entered = await accept_invitation(world.visitor(), token, password=PASSWORD)

    after = await world.user(user.email)
    assert entered.caller.user_id == user.id
    assert after.password_hash == user.password_hash
    assert after.tenant_hints == [*user.tenant_hints, acme.tenant_id]


async def test_someone_signed_in_needs_nothing_more(world: World, acme: MadeTenant) -> None:
    user = await world.verified_person()
    home = await sign_in(world.visitor(), user.email, PASSWORD)
    token = await invited(world, acme, user.email)

    entered = await accept_invitation(home.caller, token)

    assert (entered.tenant.id, entered.caller.user_id) == (acme.tenant_id, user.id)


async def test_someone_signed_in_as_another_person_is_refused(
    world: World, acme: MadeTenant, other: MadeTenant
) -> None:
    token = await invited(world, acme, new_email())
    before = await snapshot(acme.tenant_id)

    with pytest.raises(NotAllowed):
        await accept_invitation(other.owner, token)

    assert await snapshot(acme.tenant_id) == before


async def test_whoever_signed_up_with_the_address_unproved_stays_outside_and_can_prove_it_no_more(
    world: World, acme: MadeTenant
) -> None:
    email = new_email()
    squat = await sign_up(world.visitor(), SignUp(email, "the squatter's own words", "Mallory", "Squat"))
    await send_verification_to(world.worker, email)
    link = world.letterbox.token_to(email)
    token = await invited(world, acme, email)

    entered = await accept_invitation(world.visitor(), token, name="Grace", password=PASSWORD)

    user = await world.user(email)
    assert (user.display_name, user.auth_epoch, user.email_verified_at is None) == ("Grace", 1, False)
    assert user.id != squat.caller.user_id
    assert (await sign_in(world.visitor(), email, PASSWORD)).caller.user_id == user.id
    assert (await sign_in(world.visitor(), email, "the squatter's own words")).tenant.id == squat.tenant.id
    with pytest.raises(NotFound):
        await sign_in(world.visitor(), email, "the squatter's own words", tenant_id=entered.tenant.id)
    with pytest.raises(AddressHasAccount):
        await verify_email(world.visitor(), link)


async def test_a_persons_own_unverified_user_is_verified_by_the_invitation(world: World, acme: MadeTenant) -> None:
    """By its password, or by being signed in as it: the mailed code proves the address."""
    for signed_in in (False, True):
        email = new_email()
        own = await sign_up(world.visitor(), SignUp(email, PASSWORD, "Grace", "Her own"))
        token = await invited(world, acme, email)

        if signed_in:
            entered = await accept_invitation(own.caller, token)
        else:
            entered = await accept_invitation(world.visitor(), token, password=PASSWORD)

        user = await world.user(email)
        assert (entered.tenant.id, entered.caller.user_id, user.id) == (acme.tenant_id, user.id, own.caller.user_id)
        assert user.email_verified_at is not None
        assert (await sign_in(world.visitor(), email, PASSWORD, tenant_id=own.tenant.id)).tenant == own.tenant


async def test_signed_in_as_an_unverified_user_of_an_address_with_an_account_nobody_joins(
    world: World, acme: MadeTenant
) -> None:
    user = await world.verified_person()
    squat = await sign_up(world.visitor(), SignUp(user.email, "the squatter's own words", "Mallory", "Squat"))
    token = await invited(world, acme, user.email)
    before = await snapshot(acme.tenant_id)

    with pytest.raises(AddressHasAccount):
        await accept_invitation(squat.caller, token)

    assert await snapshot(acme.tenant_id) == before


async def test_an_unverified_owner_invites(world: World) -> None:
    entered = await sign_up(world.visitor(), SignUp(new_email(), PASSWORD, "Grace", "Her own"))

    made = await invite_member(entered.caller, new_email(), TenantRole.MEMBER)

    assert made.state == "pending"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, Required),
        ({"name": "Grace"}, Required),
        ({"password": PASSWORD}, Required),
        ({"name": "Grace", "password": "short"}, WeakPassword),
        ({"name": " ", "password": PASSWORD}, Required),
    ],
    ids=str,
)
async def test_someone_new_who_gives_too_little_is_told_what(
    world: World, acme: MadeTenant, given: dict[str, str], error: type[DomainError]
) -> None:
    email = new_email()
    token = await invited(world, acme, email)
    before = await snapshot(acme.tenant_id)

    with pytest.raises(error):
        await accept_invitation(world.visitor(), token, **given)

    assert await world.user_or_none(email) is None
    assert await snapshot(acme.tenant_id) == before


@pytest.mark.parametrize("wrong", ["garbage", "secret", "tenant", "row"])
async def test_a_forged_code_makes_nobody(world: World, acme: MadeTenant, other: MadeTenant, wrong: str) -> None:
    email = new_email()
    token = Token.parse(await invited(world, acme, email), "invite")
    assert token is not None
    forged = {
        "garbage": "pm_invite_x",
        "secret": str(replace(token, secret=token.secret[::-1])),
        "tenant": str(replace(token, tenant_id=other.tenant_id)),
        "row": str(replace(token, row_id=new_id())),
    }[wrong]
    before = await snapshot(acme.tenant_id), await snapshot(other.tenant_id)

    with pytest.raises(LinkOver):
        await accept_invitation(world.visitor(), forged, name="Grace", password=PASSWORD)

    assert await world.user_or_none(email) is None
    assert (await snapshot(acme.tenant_id), await snapshot(other.tenant_id)) == before


async def test_a_code_works_once_even_at_once(world: World, acme: MadeTenant) -> None:
    user = await world.verified_person()
    token = await invited(world, acme, user.email)

    outcomes = await asyncio.gather(
        *(accept_invitation(world.visitor(), token, password=PASSWORD) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["LinkOver", "LinkOver", "SignedIn"]


async def test_a_code_ends_after_seven_days_and_the_address_can_be_invited_again(world: World) -> None:
    clock = FixedClock(datetime(2026, 5, 4, tzinfo=UTC))
    timed = world.at(clock)
    acme, email = await make_tenant(timed.resources), new_email()
    token = await invited(timed, acme, email)
    clock.move(7 * 86_400)

    with pytest.raises(LinkOver):
        await accept_invitation(timed.visitor(), token, name="Grace", password=PASSWORD)
    await invite_member(acme.owner, email, TenantRole.MEMBER)

    assert [row.state for row in (await invitations(acme.owner, first=5)).items] == ["pending", "expired"]


async def test_a_revoked_invitation_is_dead_and_is_not_sent_any_more(world: World, acme: MadeTenant) -> None:
    email = new_email()
    token = await invited(world, acme, email)
    row = (await invitations(acme.owner, first=1)).items[0]
    world.letterbox.mails.clear()

    revoked = await revoke_invitation(acme.admin, row.id)
    again = await revoke_invitation(acme.admin, row.id)
    await send_invitation(job_caller(world.resources, acme.tenant_id, "test"), row.id)

    assert (revoked.state, revoked.sealed_secret, again.version) == ("revoked", None, revoked.version)
    assert world.letterbox.mails == []
    with pytest.raises(LinkOver):
        await accept_invitation(world.visitor(), token, name="Grace", password=PASSWORD)


async def test_an_accepted_invitation_cannot_be_revoked(world: World, acme: MadeTenant) -> None:
    await accept_invitation(world.visitor(), await invited(world, acme, new_email()), name="Grace", password=PASSWORD)
    row = (await invitations(acme.owner, first=1)).items[0]

    with pytest.raises(InvitationOver):
        await revoke_invitation(acme.owner, row.id)


async def test_a_foreign_invitation_is_not_found(acme: MadeTenant, other: MadeTenant) -> None:
    theirs = await invite_member(other.owner, new_email(), TenantRole.MEMBER)
    before = await snapshot(other.tenant_id)

    for invitation_id in (theirs.id, new_id(), NIL):
        with pytest.raises(NotFound):
            await revoke_invitation(acme.owner, invitation_id)
    seen = await invitations_by_ids(acme.owner, [theirs.id, NIL])

    assert seen == [None, None]
    assert await snapshot(other.tenant_id) == before


async def test_someone_removed_can_be_invited_again_and_a_sign_up_gives_them_a_tenant_of_their_own(
    world: World, acme: MadeTenant
) -> None:
    email = new_email()
    await accept_invitation(world.visitor(), await invited(world, acme, email), name="Grace", password=PASSWORD)
    member = next(row for row in (await members(acme.owner, first=9)).items if row.email == email)
    await remove_member(acme.owner, member.id)

    with pytest.raises(NotFound):
        await sign_in(world.visitor(), email, PASSWORD)
    await sign_up(world.visitor(), SignUp(email, PASSWORD, "Grace", "Her own"))
    own = await sign_in(world.visitor(), email, PASSWORD)
    back = await accept_invitation(world.visitor(), await invited(world, acme, email), password=PASSWORD)

    assert (own.tenant.name, own.caller.role) == ("Her own", TenantRole.OWNER)
    assert back.tenant.id == acme.tenant_id
