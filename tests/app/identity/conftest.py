"""Identity with cheap argon2 that is counted, a letterbox for its mails, and no waiting."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
import pytest_asyncio

from app.core.caller import Caller, anonymous_caller, job_caller
from app.core.clock import FixedClock
from app.core.ids import NIL, new_id
from app.core.rate_limits import RateLimits
from app.core.resources import Resources
from app.identity.access_tokens import AccessTokens
from app.identity.accounts import verify_email
from app.identity.passwords import Passwords
from app.identity.ports import Mail, SystemMail
from app.identity.sign_ups import SignUp, sign_up
from app.identity.user_mail import PLATFORM, send_verification_to
from db.core.transaction import current, shared_transaction, tenant_transaction
from db.queries.identity import users
from db.queries.identity.users import User
from tests.app.identity.tenants import MadeTenant, make_tenant

PASSWORD = "tulip orchard fog"
_hosts = itertools.count(1)


class CountedPasswords(Passwords):
    """Counts how often argon2 ran."""

    def __init__(self, **parameters: int) -> None:
        super().__init__(**({"passes": 1, "memory_kib": 64, "lanes": 1} | parameters))
        self.runs = 0

    def _argon2(self, password: str, hashed: str | None) -> str:
        self.runs += 1
        return super()._argon2(password, hashed)


@dataclass
class Letterbox:
    """A SystemMail that keeps what it is given."""

    mails: list[Mail] = field(default_factory=list)

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)

    def token_to(self, address: str) -> str:
        """The code in the latest mail to this address."""
        mail = next(mail for mail in reversed(self.mails) if mail.to == address)
        return next(line for line in mail.text.splitlines() if line.startswith("pm_"))


@dataclass
class World:
    """One test's surroundings."""

    resources: Resources
    letterbox: Letterbox
    passwords: CountedPasswords

    def visitor(self, address: str | None = None) -> Caller:
        """Someone who is not signed in, from a network of their own unless told otherwise."""
        number = next(_hosts)
        own = f"10.{number >> 8 & 255}.{number & 255}.7"
        return anonymous_caller(self.resources, "test", address=address or own, user_agent="tests")

    @property
    def worker(self) -> Caller:
        return job_caller(self.resources, NIL, "test")

    def with_settings(self, **changed: object) -> "World":
        return replace(
            self, resources=replace(self.resources, settings=self.resources.settings.model_copy(update=changed))
        )

    def at(self, clock: FixedClock) -> "World":
        return replace(self, resources=replace(self.resources, clock=clock))

    async def verified_person(self, email: str | None = None, tenant_name: str = "Acme") -> User:
        """Signed up with PASSWORD, the address proved with the mailed code, and the session of signing up long gone."""
        email = email or new_email()
        entered = await sign_up(self.visitor(), SignUp(email, PASSWORD, "Ada", tenant_name))
        async with tenant_transaction(entered.tenant.id):
            await current().execute("DELETE FROM sessions WHERE user_id = $1", entered.caller.user_id)
        await send_verification_to(self.worker, email)
        await verify_email(self.visitor(), self.letterbox.token_to(email))
        return await self.user(email)

    async def user(self, email: str) -> User:
        found = await self.user_or_none(email)
        assert found is not None
        return found

    async def user_or_none(self, email: str) -> User | None:
        """The verified one, else the newest."""
        async with shared_transaction(read_only=True):
            return await users.user_by_key(email)


def form(email: str, password: str = PASSWORD) -> SignUp:
    return SignUp(email, password, "Ada Lovelace", "Analytical Engines")


async def mails_waiting_for(user_id: UUID) -> list[str]:
    """Kinds of the jobs that will mail this user."""
    async with tenant_transaction(PLATFORM.id, read_only=True):
        rows = await current().fetch("SELECT kind FROM jobs WHERE payload->>'user_id' = $1 ORDER BY id", str(user_id))
    return [row["kind"] for row in rows]


def new_email() -> str:
    return f"ada-{new_id().hex}@acme.example"


@pytest.fixture
def world(resources: Resources) -> Iterator[World]:
    letterbox, passwords = Letterbox(), CountedPasswords()
    settings = resources.settings.model_copy(update={"even_answer_seconds": 0.0})
    ports = {
        RateLimits: RateLimits(resources.redis),
        Passwords: passwords,
        AccessTokens: AccessTokens.of(settings),
        SystemMail: letterbox,
    }
    yield World(replace(resources, settings=settings, ports={**resources.ports, **ports}), letterbox, passwords)
    passwords.close()


@pytest_asyncio.fixture
async def acme(world: World) -> MadeTenant:
    return await make_tenant(world.resources)


@pytest_asyncio.fixture
async def other(world: World) -> MadeTenant:
    """A foreign tenant."""
    return await make_tenant(world.resources, name="Other")
