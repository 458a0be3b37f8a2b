"""The door admits living sessions and sees within five seconds that one has ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.caller import Caller, CallerKind
from app.core.clock import FixedClock
from app.core.door import ConnectionFacts, Door
from app.core.errors import Unauthenticated
from app.core.permissions import TenantRole, WorkspaceRole
from app.identity.accounts import change_password
from app.identity.door import REMEMBERED_SECONDS, SessionDoor
from app.identity.members import change_member_role, remove_member, set_workspace_role
from app.identity.sessions import revoke_other_sessions, sign_in, sign_out
from db.queries.identity import sessions
from tests.app.identity.conftest import PASSWORD, World
from tests.app.identity.tenants import MadeTenant, another_session, bearer, make_tenant

FACTS = ConnectionFacts(address="192.0.2.9", user_agent="browser", request_id="r1")


async def is_admitted(door: Door, authorization: str) -> bool:
    try:
        await door.admit(authorization, FACTS)
    except Unauthenticated:
        return False
    return True


async def test_a_living_session_becomes_a_caller(world: World, acme: MadeTenant) -> None:
    door = SessionDoor(world.resources)

    caller = await door.admit(bearer(acme.viewer), FACTS)

    assert (caller.kind, caller.tenant_id, caller.user_id) == (CallerKind.USER, acme.tenant_id, acme.viewer.user_id)
    assert (caller.session_id, caller.role) == (acme.viewer.session_id, TenantRole.MEMBER)
    assert caller.workspaces == {acme.workspace_id: WorkspaceRole.VIEWER}
    assert (caller.address, caller.user_agent, caller.request_id) == ("192.0.2.9", "browser", "r1")
    assert caller.expires_at is not None


async def test_nobody_is_anonymous(world: World) -> None:
    caller = await SessionDoor(world.resources).admit(None, FACTS)

    assert (caller.kind, caller.tenant, caller.address) == (CallerKind.ANONYMOUS, None, "192.0.2.9")


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer \udcff", "bearer x.y.z"]
)
async def test_what_is_no_token_is_refused(world: World, authorization: str) -> None:
    assert not await is_admitted(SessionDoor(world.resources), authorization)


async def test_a_refresh_token_opens_nothing(world: World) -> None:
    user = await world.verified_person()
    entered = await sign_in(world.visitor(), user.email, PASSWORD)

    assert not await is_admitted(SessionDoor(world.resources), f"Bearer {entered.tokens.refresh_token}")
    assert await is_admitted(SessionDoor(world.resources), f"Bearer {entered.tokens.access_token}")


async def test_a_session_of_another_tenant_or_user_is_refused(
    world: World, acme: MadeTenant, other: MadeTenant
) -> None:
    """A token signed by us for a session that is not that user's in that tenant: defence in depth."""
    door = SessionDoor(world.resources)

    assert not await is_admitted(door, bearer(replace(acme.owner, tenant=other.tenant_id)))
    assert not await is_admitted(door, bearer(replace(acme.owner, user_id=acme.admin.user_id)))
    assert await is_admitted(door, bearer(acme.owner))


async def _revoke_from_elsewhere(acme: MadeTenant) -> None:
    await revoke_other_sessions(await another_session(acme.member))


Ending = Callable[[MadeTenant], Awaitable[object]]
ENDINGS: dict[str, Ending] = {
    "signed out": lambda acme: sign_out(acme.member),
    "revoked": _revoke_from_elsewhere,
    "removed": lambda acme: remove_member(acme.owner, acme.member_id("member")),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
async def test_an_ended_session_is_refused_at_once_by_a_door_that_did_not_know_it(
    world: World, acme: MadeTenant, end: Ending
) -> None:
    authorization = bearer(acme.member)
    assert await is_admitted(SessionDoor(world.resources), authorization)

    await end(acme)

    assert not await is_admitted(SessionDoor(world.resources), authorization)


async def test_a_door_that_remembers_sees_the_end_within_five_seconds(world: World, acme: MadeTenant) -> None:
    door, authorization = SessionDoor(world.resources), bearer(acme.member)
    assert await is_admitted(door, authorization)
    await remove_member(acme.owner, acme.member_id("member"))
    ended_at = time.monotonic()

    while await is_admitted(door, authorization):
        assert time.monotonic() - ended_at < 5
        await asyncio.sleep(0.05)

    assert REMEMBERED_SECONDS < 5


async def test_a_changed_password_closes_the_other_session(world: World) -> None:
    user = await world.verified_person()
    mine = await sign_in(world.visitor(), user.email, PASSWORD)
    other = await sign_in(world.visitor(), user.email, PASSWORD)

    await change_password(mine.caller, PASSWORD, "another orchard in the fog")

    door = SessionDoor(world.resources)
    assert await is_admitted(door, f"Bearer {mine.tokens.access_token}")
    assert not await is_admitted(door, f"Bearer {other.tokens.access_token}")


async def test_a_look_between_the_two_transactions_of_a_new_password_does_not_end_ones_own_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await world.verified_person()
    mine = await sign_in(world.visitor(), user.email, PASSWORD)
    door, authorization = SessionDoor(world.resources), f"Bearer {mine.tokens.access_token}"
    between: list[bool] = []
    opening = Caller.transaction

    def looking_first(caller: Caller, *, read_only: bool = False) -> Any:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Any]:
            between.append(await is_admitted(door, authorization))
            async with opening(caller, read_only=read_only) as transaction:
                yield transaction

        return opened()

    with monkeypatch.context() as patch:
        patch.setattr(Caller, "transaction", looking_first)
        await change_password(mine.caller, PASSWORD, "another orchard in the fog")

    assert between == [False]
    assert await is_admitted(door, authorization)


async def test_new_roles_are_seen_by_a_fresh_look(world: World, acme: MadeTenant) -> None:
    await change_member_role(acme.owner, acme.member_id("admin"), TenantRole.MEMBER)
    await set_workspace_role(acme.owner, acme.member_id("bystander"), acme.workspace_id, role=WorkspaceRole.ADMIN)

    door = SessionDoor(world.resources)

    assert (await door.admit(bearer(acme.admin), FACTS)).role is TenantRole.MEMBER
    assert (await door.admit(bearer(acme.bystander), FACTS)).workspaces == {acme.workspace_id: WorkspaceRole.ADMIN}


async def test_a_remembered_token_still_ends_on_time(world: World) -> None:
    clock = FixedClock(datetime.now(UTC))
    timed = world.at(clock)
    acme = await make_tenant(timed.resources)
    door, authorization = SessionDoor(timed.resources), bearer(acme.owner)
    assert await is_admitted(door, authorization)

    clock.move(900)

    assert not await is_admitted(door, authorization)


async def test_the_doors_memory_is_bounded(world: World, acme: MadeTenant) -> None:
    door = SessionDoor(world.resources, most_remembered=2)

    for caller in (acme.owner, acme.admin, acme.member, acme.viewer):
        await door.admit(bearer(caller), FACTS)

    assert (len(door._claims), len(door._rights)) == (2, 2)


async def test_who_watches_is_asked_again(world: World, acme: MadeTenant) -> None:
    watching = await SessionDoor(world.resources).admit(bearer(acme.viewer), FACTS)
    await set_workspace_role(acme.owner, acme.member_id("viewer"), acme.workspace_id, role=WorkspaceRole.MEMBER)

    again = await SessionDoor(world.resources).current(watching)
    await sign_out(acme.viewer)

    assert again.workspaces == {acme.workspace_id: WorkspaceRole.MEMBER}
    assert (again.session_id, again.request_id) == (watching.session_id, watching.request_id)
    with pytest.raises(Unauthenticated):
        await SessionDoor(world.resources).current(watching)


async def test_a_session_is_looked_at_once_for_all_who_ask_at_the_same_time(
    world: World, acme: MadeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, looks, look = SessionDoor(world.resources), 0, sessions.admission

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal looks
        looks += 1
        return await look(*arguments, **named)

    monkeypatch.setattr(sessions, "admission", counted)
    gone = asyncio.create_task(door.admit(bearer(acme.member), FACTS))
    await asyncio.sleep(0)
    others = [asyncio.create_task(door.admit(bearer(acme.member), FACTS)) for _ in range(50)]
    await asyncio.sleep(0)
    gone.cancel()

    assert {caller.user_id for caller in await asyncio.gather(*others)} == {acme.member.user_id}
    assert looks == 1


async def test_everybody_who_asked_together_learns_that_the_session_is_over(world: World, acme: MadeTenant) -> None:
    door = SessionDoor(world.resources)
    await remove_member(acme.owner, acme.member_id("member"))

    answers = await asyncio.gather(*(is_admitted(door, bearer(acme.member)) for _ in range(20)))

    assert not any(answers)
