"""The demo tenant, made through the same use cases that people use, so that it is like any other."""

from dataclasses import dataclass, field, replace

import structlog

from app.core.caller import anonymous_caller, job_caller
from app.core.ids import NIL
from app.core.resources import Resources
from app.core.settings import Settings
from app.identity.accounts import verify_email
from app.identity.candidates import candidates_of
from app.identity.errors import WrongCredentials
from app.identity.ports import Mail, SystemMail
from app.identity.rules.addresses import address_key
from app.identity.session_opening import SignedIn
from app.identity.sessions import sign_in, sign_out
from app.identity.sign_ups import SignUp, sign_up
from app.identity.tenant_settings import SettingsChange, tenant_settings, update_tenant_settings
from app.identity.user_mail import send_verification_to
from app.wiring import build_resources, opened

_log = structlog.get_logger(__name__)

DEMO_NAME = "Pia Pinguin"
DEMO_TENANT = "Penguin Demo"
DEMO_POSTAL_ADDRESS = "Penguin Demo Ltd\n1 Iceberg Road\n00100 Port Frost"
_REQUEST_ID = "seed"


@dataclass(slots=True)
class Letterbox:
    """Keeps the one mail that the seed needs to read itself."""

    mails: list[Mail] = field(default_factory=list)

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)

    def token(self) -> str:
        """The code in the latest mail. Raises LookupError."""
        for line in reversed(self.mails[-1].text.splitlines() if self.mails else []):
            if line.startswith("pm_"):
                return line
        raise LookupError("no mail with a code has come")


async def seed_demo(settings: Settings, *, email: str, password: str) -> None:
    """Makes the demo tenant with its verified owner, or what an earlier start left undone. Safe to repeat.

    When the demo user has another password by now it is left alone: whoever changed it had a reason.
    """
    async with opened(build_resources(settings)) as resources:
        await seed_demo_tenant(resources, email=email, password=password)


async def seed_demo_tenant(resources: Resources, *, email: str, password: str) -> None:
    """As seed_demo, on resources that are open."""
    entered = await _enter(resources, email, password)
    if entered is None:
        _log.warning("demo_user_left_alone", reason="it has another password by now")
        return
    _, settings = await tenant_settings(entered.caller)
    if settings.version == 1:
        change = SettingsChange(
            postal_address=DEMO_POSTAL_ADDRESS, default_daily_cap=100_000, default_minimum_gap_seconds=0
        )
        await update_tenant_settings(entered.caller, change)
    await sign_out(entered.caller)


async def _enter(resources: Resources, email: str, password: str) -> SignedIn | None:
    """None when the address has a verified user with another password."""
    caller = anonymous_caller(resources, _REQUEST_ID)
    if (await candidates_of(address_key(email))).verified is None:
        entered = await sign_up(caller, SignUp(email, password, DEMO_NAME, DEMO_TENANT))
        await _verify(resources, email)
        return entered
    try:
        return await sign_in(caller, email, password)
    except WrongCredentials:
        return None


async def _verify(resources: Resources, email: str) -> None:
    """Reads the verification mail in the person's place: nobody reads demo@... of a machine that just started."""
    letterbox = Letterbox()
    reading = replace(resources, ports={**resources.ports, SystemMail: letterbox})
    await send_verification_to(job_caller(reading, NIL, _REQUEST_ID), email)
    await verify_email(anonymous_caller(reading, _REQUEST_ID), letterbox.token())
