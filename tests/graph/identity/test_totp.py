"""Two-step sign-in as clients see it, with a clock that is moved from step to step."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import pytest_asyncio

from app.core.caller import Caller, job_caller
from app.core.clock import FixedClock
from app.core.door import ConnectionFacts
from app.core.permissions import TenantRole
from app.core.secrets import SecretUnreadable
from app.identity.door import SessionDoor
from app.identity.invitations import invite_member, send_invitation
from app.identity.sign_ups import SignUp, sign_up
from app.identity.user_mail import send_password_reset
from db.core.transaction import current, shared_transaction
from db.queries.identity.users import User
from graph.schema import schema
from tests.app.identity.conftest import PASSWORD, World, mails_waiting_for, new_email
from tests.app.identity.tenants import MadeTenant, actions_of, jobs_of, snapshot
from tests.graph.core.client import run

FACTS = ConnectionFacts(address="192.0.2.5", user_agent="browser", request_id="r1")
NEW_PASSWORD = "another orchard in the fog"
FIELDS = {
    "signIn": "session { accessToken } viewer { user { totpEnabled } }",
    "signUp": "session { accessToken } tenant { id }",
    "acceptInvitation": "session { accessToken } tenant { name }",
    "enrollTotp": "secret provisioningUri qrSvg",
    "confirmTotp": "recoveryCodes",
    "disableTotp": "disabled",
    "regenerateRecoveryCodes": "recoveryCodes",
    "resetPassword": "email",
}


async def call(caller: Caller, operation: str, **given: Any) -> Any:
    kind = operation[0].upper() + operation[1:]
    query = f"mutation($input: {kind}Input!) {{ {operation}(input: $input) {{ {FIELDS[operation]} userErrors {{ code message path }} }} }}"
    answer = await run(schema, caller, query, {"input": given})
    assert "errors" not in answer, answer
    return answer["data"][operation]


def codes(answer: Any) -> list[str]:
    return [each["code"] for each in answer["userErrors"]]


@dataclass
class Person:
    """Verified and signed in; after `enrol` with an app that holds the secret."""

    world: World
    clock: FixedClock
    user: User
    caller: Caller
    secret: str = ""
    recovery_codes: tuple[str, ...] = ()

    def app_shows(self, *, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(self.clock.now() + timedelta(seconds=30 * steps))

    async def enrol(self) -> None:
        """And waits for the next code."""
        self.secret = (await call(self.caller, "enrollTotp", password=PASSWORD))["secret"]
        confirmed = await call(self.caller, "confirmTotp", code=self.app_shows())
        assert confirmed["userErrors"] == []
        self.recovery_codes = tuple(confirmed["recoveryCodes"])
        self.clock.move(30)

    async def sign_in(self, code: str | None = None, *, password: str = PASSWORD, visitor: Caller | None = None) -> Any:
        typed = {} if code is None else {"totpCode": code}
        return await call(visitor or self.world.visitor(), "signIn", email=self.user.email, password=password, **typed)

    async def shown_as_enabled(self) -> bool:
        answer = await run(schema, self.caller, "{ viewer { user { totpEnabled } } }")
        return bool(answer["data"]["viewer"]["user"]["totpEnabled"])

    async def rows(self) -> list[tuple[object, ...]]:
        async with shared_transaction(read_only=True):
            return [
                tuple(row)
                for table in ("user_totp", "user_recovery_codes")
                for row in await current().fetch(f"SELECT * FROM {table} WHERE user_id = $1 ORDER BY 1", self.user.id)
            ]


@pytest_asyncio.fixture
async def ada(world: World) -> Person:
    clock = FixedClock(datetime.now(UTC))
    there = world.at(clock)
    user = await there.verified_person()
    entered = await call(there.visitor(), "signIn", email=user.email, password=PASSWORD)
    caller = await SessionDoor(there.resources).admit(f"Bearer {entered['session']['accessToken']}", FACTS)
    return Person(there, clock, user, caller)


async def test_from_enrolling_to_turning_it_off(ada: Person) -> None:
    enrolled = await call(ada.caller, "enrollTotp", password=PASSWORD)
    ada.secret = enrolled["secret"]
    not_yet = await ada.sign_in()
    confirmed = await call(ada.caller, "confirmTotp", code=ada.app_shows())
    without = await ada.sign_in()
    replayed = await ada.sign_in(ada.app_shows())
    ada.clock.move(30)
    entered = await ada.sign_in(ada.app_shows())
    again = await ada.sign_in(ada.app_shows())
    recovered = await ada.sign_in(confirmed["recoveryCodes"][3].upper())
    recovered_again = await ada.sign_in(confirmed["recoveryCodes"][3])
    ada.clock.move(30)
    renewed = await call(ada.caller, "regenerateRecoveryCodes", password=PASSWORD, code=ada.app_shows())
    dead = await ada.sign_in(confirmed["recoveryCodes"][4])
    shown = await ada.shown_as_enabled()
    off = await call(ada.caller, "disableTotp", password=PASSWORD, code=renewed["recoveryCodes"][0])
    alone = await ada.sign_in()

    assert enrolled["provisioningUri"].startswith("otpauth://totp/PenguinMails:ada-")
    assert f"secret={ada.secret}" in enrolled["provisioningUri"]
    assert enrolled["qrSvg"].startswith("<svg ")
    assert not_yet["viewer"] == {"user": {"totpEnabled": False}}
    assert [len(code) for code in confirmed["recoveryCodes"]] == [19] * 10
    assert without["session"] is None
    assert [(each["code"], each["path"]) for each in without["userErrors"]] == [
        ("TOTP_REQUIRED", ["input", "totpCode"])
    ]
    assert entered["viewer"] == recovered["viewer"] == {"user": {"totpEnabled": True}}
    assert shown is True
    for refused in (replayed, again, recovered_again, dead):
        assert (refused["session"], codes(refused)) == (None, ["WRONG_CREDENTIALS"])
    assert len(set(renewed["recoveryCodes"]) | set(confirmed["recoveryCodes"])) == 20
    assert off == {"disabled": True, "userErrors": []}
    assert alone["viewer"] == {"user": {"totpEnabled": False}}
    assert await ada.shown_as_enabled() is False
    assert await ada.rows() == []
    actions = [each for each in await actions_of(ada.caller.tenant_id) if "totp" in each or "recovery" in each]
    assert actions == [
        "user.enroll_totp",
        "user.confirm_totp",
        "user.use_recovery_code",
        "user.regenerate_recovery_codes",
        "user.disable_totp",
    ]
    assert (await jobs_of(ada.caller.tenant_id)).count("user.send_totp_changed") == 3
    assert (await mails_waiting_for(ada.user.id)).count("user.send_totp_changed") == 1  # of the recovery code


async def test_a_wrong_password_and_a_wrong_replayed_or_used_code_are_one_answer_and_change_nothing(
    ada: Person,
) -> None:
    await ada.enrol()
    await ada.sign_in(ada.recovery_codes[0])
    await ada.sign_in(ada.app_shows())
    before = await snapshot(ada.caller.tenant_id), await ada.rows()

    answers = [
        await ada.sign_in(ada.app_shows(steps=1), password="not her password"),
        await ada.sign_in(password="not her password"),
        await ada.sign_in(ada.app_shows(steps=40)),
        await ada.sign_in(ada.app_shows()),
        await ada.sign_in(ada.recovery_codes[0]),
        await ada.sign_in(""),
        await call(ada.world.visitor(), "signIn", email=new_email(), password=PASSWORD, totpCode="123456"),
    ]

    assert codes(answers[0]) == ["WRONG_CREDENTIALS"]
    assert answers == [answers[0]] * 7
    assert (await snapshot(ada.caller.tenant_id), await ada.rows()) == before


@pytest.mark.parametrize(("steps", "is_good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_code_may_be_one_step_off(ada: Person, steps: int, is_good: bool) -> None:
    await ada.enrol()
    ada.clock.move(300)

    answer = await ada.sign_in(ada.app_shows(steps=steps))

    assert (answer["session"] is not None) is is_good


async def test_after_a_later_code_an_earlier_one_is_refused(ada: Person) -> None:
    await ada.enrol()
    await ada.sign_in(ada.app_shows(steps=1))

    answer = await ada.sign_in(ada.app_shows())

    assert codes(answer) == ["WRONG_CREDENTIALS"]


async def test_of_many_at_once_with_one_code_one_enters(ada: Person) -> None:
    await ada.enrol()

    for code in (ada.app_shows(), ada.recovery_codes[0]):
        answers = await asyncio.gather(*(ada.sign_in(code) for _ in range(6)))

        assert sorted(codes(each) for each in answers) == [[]] + [["WRONG_CREDENTIALS"]] * 5


async def test_wrong_codes_are_limited_from_anywhere_although_the_password_is_right(ada: Person) -> None:
    await ada.enrol()
    ada.world = ada.world.with_settings(sign_in_attempts_per_minute=3)

    asking = [await ada.sign_in() for _ in range(5)]
    right_ones = []
    for _ in range(4):
        ada.clock.move(30)
        right_ones.append(await ada.sign_in(ada.app_shows()))
    wrong = [await ada.sign_in(ada.app_shows(steps=40 + number)) for number in range(5)]
    ada.clock.move(30)
    right = await ada.sign_in(ada.app_shows())

    assert [codes(each) for each in asking] == [["TOTP_REQUIRED"]] * 5
    assert [codes(each) for each in right_ones] == [[]] * 4
    assert [codes(each) for each in wrong] == [["WRONG_CREDENTIALS"]] * 3 + [["TOO_MANY_ATTEMPTS"]] * 2
    assert codes(right) == ["TOO_MANY_ATTEMPTS"]


async def test_wrong_codes_are_limited_over_all_networks_that_the_person_is_known_in(ada: Person) -> None:
    await ada.enrol()
    known = [ada.world.visitor(), ada.world.visitor()]
    for visitor in known:
        assert codes(await ada.sign_in(ada.app_shows(), visitor=visitor)) == []
        ada.clock.move(30)
    strict = ada.world.with_settings(sign_in_attempts_per_minute=3).resources

    wrong = [
        await ada.sign_in(ada.app_shows(steps=40 + number), visitor=replace(visitor, resources=strict))
        for number, visitor in enumerate([*known, *known])
    ]

    assert [codes(each) for each in wrong] == [["WRONG_CREDENTIALS"]] * 3 + [["TOO_MANY_ATTEMPTS"]]


async def test_one_host_is_limited_in_codes_as_in_passwords(ada: Person) -> None:
    await ada.enrol()
    strict = ada.world.with_settings(sign_in_attempts_per_minute=3)
    host = strict.visitor()
    for _ in range(3):
        await ada.sign_in("000000" if ada.app_shows() != "000000" else "000001", visitor=host)

    answer = await ada.sign_in(ada.app_shows(), visitor=host)

    assert codes(answer) == ["TOO_MANY_ATTEMPTS"]


async def test_wrong_codes_are_limited_inside_a_session_too(ada: Person) -> None:
    await ada.enrol()
    strict = ada.world.with_settings(sign_in_attempts_per_minute=3).resources
    within = replace(ada.caller, resources=strict, address=ada.world.visitor().address)

    answers = [
        await call(within, "disableTotp", password=PASSWORD, code=ada.app_shows(steps=40 + number))
        for number in range(4)
    ]

    assert [codes(each) for each in answers] == [["WRONG_CREDENTIALS"]] * 3 + [["TOO_MANY_ATTEMPTS"]]
    assert await ada.shown_as_enabled() is True


async def test_a_new_password_by_mail_does_not_pass_the_second_factor(ada: Person) -> None:
    await ada.enrol()
    await send_password_reset(ada.world.worker, ada.user.id)
    reset = await call(
        ada.world.visitor(),
        "resetPassword",
        token=ada.world.letterbox.token_to(ada.user.email),
        newPassword=NEW_PASSWORD,
    )

    without = await ada.sign_in(password=NEW_PASSWORD)
    entered = await ada.sign_in(ada.app_shows(), password=NEW_PASSWORD)

    assert reset == {"email": ada.user.email, "userErrors": []}
    assert (without["session"], codes(without)) == (None, ["TOTP_REQUIRED"])
    assert entered["userErrors"] == []


async def test_signing_up_again_does_not_pass_the_second_factor(ada: Person) -> None:
    await ada.enrol()
    before = await snapshot(ada.caller.tenant_id)

    answer = await call(
        ada.world.visitor(), "signUp", email=ada.user.email, password=PASSWORD, name="Ada", tenantName="Mine"
    )
    inside = await SessionDoor(ada.world.resources).admit(f"Bearer {answer['session']['accessToken']}", FACTS)
    without = await ada.sign_in()

    assert inside.user_id != ada.user.id
    assert inside.tenant_id != ada.caller.tenant_id
    assert await snapshot(ada.caller.tenant_id) == before
    assert codes(without) == ["TOTP_REQUIRED"]


async def test_accepting_an_invitation_asks_for_the_second_factor(ada: Person, acme: MadeTenant) -> None:
    await ada.enrol()
    invitation = await invite_member(acme.owner, ada.user.email, TenantRole.MEMBER)
    await send_invitation(job_caller(ada.world.resources, acme.tenant_id, "test"), invitation.id)
    token = ada.world.letterbox.token_to(ada.user.email)

    without = await call(ada.world.visitor(), "acceptInvitation", token=token, password=PASSWORD)
    wrong = await call(ada.world.visitor(), "acceptInvitation", token=token, password=PASSWORD, totpCode="1")
    right = await call(
        ada.world.visitor(), "acceptInvitation", token=token, password=PASSWORD, totpCode=ada.app_shows()
    )

    assert (without["session"], codes(without)) == (None, ["TOTP_REQUIRED"])
    assert (wrong["session"], codes(wrong)) == (None, ["WRONG_CREDENTIALS"])
    assert right["tenant"] == {"name": "Acme"}


async def test_a_stolen_session_alone_changes_nothing(ada: Person) -> None:
    enrolling = await call(ada.caller, "enrollTotp", password="not her password")
    none_made = await ada.rows()
    await ada.enrol()
    before = await ada.rows()

    answers = [
        await call(ada.caller, operation, password=password, code=code)
        for operation in ("disableTotp", "regenerateRecoveryCodes")
        for password, code in (("not her password", ada.app_shows()), (PASSWORD, ada.app_shows(steps=40)))
    ]

    assert (codes(enrolling), none_made) == (["WRONG_CREDENTIALS"], [])
    assert [each["userErrors"] for each in answers] == [answers[0]["userErrors"]] * 4
    assert codes(answers[0]) == ["WRONG_CREDENTIALS"]
    assert await ada.rows() == before


async def test_each_step_is_refused_in_the_wrong_state(ada: Person) -> None:
    nothing_to_confirm = await call(ada.caller, "confirmTotp", code="123456")
    nothing_to_disable = await call(ada.caller, "disableTotp", password=PASSWORD, code="123456")
    ada.secret = (await call(ada.caller, "enrollTotp", password=PASSWORD))["secret"]
    replaced = ada.app_shows()
    ada.secret = (await call(ada.caller, "enrollTotp", password=PASSWORD))["secret"]
    wrong = await call(ada.caller, "confirmTotp", code=replaced)
    confirmed = await call(ada.caller, "confirmTotp", code=ada.app_shows())
    confirmed_again = await call(ada.caller, "confirmTotp", code=ada.app_shows(steps=1))
    enrolled_again = await call(ada.caller, "enrollTotp", password=PASSWORD)

    for refused in (nothing_to_confirm, nothing_to_disable, confirmed_again, enrolled_again):
        assert codes(refused) == ["WRONG_STATE"]
    assert [(each["code"], each["path"]) for each in wrong["userErrors"]] == [("WRONG_CREDENTIALS", ["input", "code"])]
    assert confirmed["userErrors"] == []


async def test_an_address_that_is_not_proved_has_no_second_factor(world: World) -> None:
    entered = await sign_up(world.visitor(), SignUp(new_email(), PASSWORD, "Mallory", "Evil"))

    answer = await call(entered.caller, "enrollTotp", password=PASSWORD)

    assert codes(answer) == ["WRONG_STATE"]
    assert answer["secret"] is None


async def test_confirming_keeps_other_sessions(ada: Person) -> None:
    other = await ada.sign_in()
    await ada.enrol()

    admitted = await SessionDoor(ada.world.resources).admit(f"Bearer {other['session']['accessToken']}", FACTS)

    assert admitted.user_id == ada.user.id


async def test_secrets_are_stored_sealed_for_their_user_and_codes_as_hashes(ada: Person) -> None:
    await ada.enrol()

    stored = repr(await ada.rows()) + repr(await snapshot(ada.caller.tenant_id))
    (totp, *_) = await ada.rows()
    sealed = totp[1]

    assert ada.secret not in stored
    assert not any(code in stored or code.replace("-", "") in stored for code in ada.recovery_codes)
    assert isinstance(sealed, bytes)
    with pytest.raises(SecretUnreadable):
        ada.world.resources.cipher.open(
            sealed,
            tenant_id=ada.caller.tenant_id,
            table="user_totp",
            column="sealed_secret",
            row_id=ada.user.id,
        )
