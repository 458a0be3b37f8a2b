"""A tenant with one object of everything, each text of it carrying a marker, so that what leaks is seen."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from app.core.caller import Caller, anonymous_caller
from app.core.ids import new_id
from app.core.permissions import TenantRole, WorkspaceRole
from app.core.resources import Resources
from app.core.secrets import Token, hash_secret
from app.identity.passwords import Passwords
from app.outreach.ports import SandboxInbox, SandboxMail
from db.core.transaction import content_transaction, current, olap_transaction, shared_transaction, tenant_transaction
from graph.core.ids import global_id
from tests.app.identity.tenants import MadeTenant, make_tenant
from tests.house import world_contacts, world_sending
from tests.house.world_rows import Ground, Made, insert, rows_as_text, uuids_of

PASSWORD = "tulip orchard fog"
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped"
ROLES = ("owner", "admin", "workspace_admin", "member", "viewer", "bystander")


@dataclass
class FakeSandbox:
    """A SandboxInbox that has received what it was told."""

    mails: dict[UUID, list[SandboxMail]] = field(default_factory=dict)
    is_there: bool = True

    async def received(self, tenant_id: UUID, *, after: int, first: int) -> tuple[list[SandboxMail], bool]:
        found = [mail for mail in self.mails.get(tenant_id, []) if mail.position > after]
        return found[:first], len(found) > first


@dataclass(frozen=True)
class World:
    """A tenant whose `home` workspace has everything. The neighbour administers another workspace and has no role at
    home; the mixed caller administers the other one and is a viewer at home."""

    tenant: MadeTenant
    marker: str
    made: Made
    neighbour: Caller
    mixed: Caller
    beside: Made
    """What stands in the other workspace, where it was asked for."""

    @property
    def owner_email(self) -> str:
        return f"owner-{self.made['User']['owner'].hex}@acme.example"

    @property
    def next_door(self) -> "World":
        """The world of those who see the other workspace only."""
        assert self.neighbour.session_id is not None
        own = {"Session": {"own": self.neighbour.session_id}}
        return replace(self, made={**self.made, **self.beside, **own})

    @property
    def bystanding(self) -> "World":
        """The world of the bystander, who sees no workspace at all."""
        own = {name: {"none": new_id()} for name in self.beside}
        return replace(self, made={**self.made, **own, "Session": {"own": self.made["Session"]["bystander"]}})

    def without(self, state: str) -> "World":
        """The world but for the objects in this state."""
        made = {name: {each: row for each, row in rows.items() if each != state} for name, rows in self.made.items()}
        return replace(self, made=made)

    @property
    def traces_of_home(self) -> frozenset[str]:
        """Lower-case texts that stand in the home workspace only; its own id is known to those who ask for it."""
        whole = {"Tenant", "TenantSettings", "Suppression", "Session", "User", "Member"}
        rows = [(name, row) for name, rows in self.made.items() if name not in whole for row in rows.values()]
        words = ("home", "first", "last", "city", "list", "is no", "display", "campaign", "subject", "reason", "text")
        shown = {global_id(name, row).lower() for name, row in rows} | {str(row) for _, row in rows}
        return frozenset(shown | {f"{self.marker} {word}" for word in words} | {f"{self.marker}.example"})

    def is_shown_by(self, answer: object) -> bool:
        """Whether the answer has the marker or the id of anything in it."""
        text = str(answer)
        ids = (global_id(name, row) for name, rows in self.made.items() for row in rows.values())
        return self.marker in text or any(each in text for each in ids)

    @property
    def tenant_id(self) -> UUID:
        return self.tenant.tenant_id

    @property
    def owner(self) -> Caller:
        return self.tenant.owner

    @property
    def anonymous(self) -> Caller:
        """From a network of its own, so that no limit of another test is felt."""
        address = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.7"
        return anonymous_caller(self.owner.resources, "test", address=address, user_agent="tests")

    def caller(self, person: str) -> Caller:
        found: Caller = getattr(self if hasattr(self, person) else self.tenant, person)
        return found

    def ids(self, type_name: str) -> dict[str, str]:
        """Global ids by state. Fails, saying what to do, when the world has none of this type."""
        assert type_name in self.made, (
            f"the world has no {type_name}: insert one in tests/house/world_contacts.py or world_sending.py, "
            f'with the id that ground.new("{type_name}", state) gives'
        )
        return {state: global_id(type_name, row_id) for state, row_id in self.made[type_name].items()}

    def id(self, type_name: str, state: str | None = None) -> str:
        """The one in this state, or without a state the first."""
        ids = self.ids(type_name)
        return next(iter(ids.values())) if state is None else ids[state]

    async def rows(self) -> dict[str, str]:
        """Every row in all three tiers as text, by table."""
        return await rows_as_text(self.tenant_id)

    async def changed_tables(self, known: dict[str, str]) -> list[str]:
        """Tables whose rows are not the `known` ones any more; `known` is brought up to date."""
        now = await self.rows()
        changed = sorted(table for table in now if now[table] != known.get(table))
        known.update(now)
        return changed

    async def traces(self) -> frozenset[str]:
        """Lower-case texts that stand in this tenant's data only: its marker, and every id of its rows."""
        uuids = await uuids_of(self.tenant_id)
        shown = {global_id(name, row).lower() for name, rows in self.made.items() for row in rows.values()}
        return frozenset({self.marker} | shown | {str(each) for each in uuids} | {each.hex for each in uuids})


async def make_world(resources: Resources, *, next_door: bool = False) -> World:
    """In a tenant of its own. `next_door` fills the other workspace too."""
    marker = f"only-{secrets.token_hex(6)}"
    tenant = await make_tenant(resources, name=f"{marker} tenant")
    assert tenant.owner.user_id is not None
    ground = Ground(
        resources, tenant.tenant_id, tenant.workspace_id, tenant.owner.user_id, marker, resources.clock.now()
    )
    _know_people(ground, tenant)
    beside = replace(ground, marker=f"beside-{secrets.token_hex(6)}", workspace_id=new_id(), made={})
    beside.made["Workspace"] = {"plain": beside.workspace_id}
    grounds = [ground, beside] if next_door else [ground]
    people = await _users_like(ground.user_id, 2)
    async with content_transaction(tenant.tenant_id):
        for each in grounds:
            await world_contacts.insert_content(each)
    async with tenant_transaction(tenant.tenant_id):
        await _insert_tenants_own(ground, beside.workspace_id)
        admin = {beside.workspace_id: WorkspaceRole.ADMIN}
        neighbour = await _person(ground, tenant, people[0], admin)
        mixed = await _person(ground, tenant, people[1], {**admin, tenant.workspace_id: WorkspaceRole.VIEWER})
        for each in grounds:
            await world_contacts.insert_contacts(each)
            await world_sending.insert_mailboxes(each)
            await world_sending.insert_dkim_keys(each)
            await world_sending.insert_campaigns(each)
        await world_sending.insert_suppressions(ground)
        await world_sending.insert_platform(ground)
    async with olap_transaction(tenant.tenant_id):
        await world_sending.insert_figures(ground)
    await _give_password(resources, ground.tenant_id)
    _receive_mail(ground)
    return World(tenant, marker, ground.made, neighbour, mixed, beside.made)


def _know_people(ground: Ground, tenant: MadeTenant) -> None:
    made = ground.made
    made["Tenant"] = {"plain": tenant.tenant_id}
    made["Workspace"] = {"plain": tenant.workspace_id}
    made["Member"] = {"next door": new_id(), **{person: tenant.member_id(person) for person in ROLES}}
    made["User"] = {person: getattr(tenant, person).user_id for person in ROLES}
    made["Session"] = {person: getattr(tenant, person).session_id for person in ROLES}


async def _insert_tenants_own(ground: Ground, next_door: UUID) -> None:
    """In the tenant's transaction: another workspace, settings, an invitation."""
    await insert("workspaces", id=next_door, name="next door", slug="next-door", **ground.times())
    ground.made["TenantSettings"] = {
        "plain": await current().fetchval("SELECT id FROM tenant_settings WHERE tenant_id = $1", ground.tenant_id)
    }
    await current().execute(
        "UPDATE tenant_settings SET postal_address = $2 WHERE tenant_id = $1", ground.tenant_id, ground.text("street")
    )
    await current().execute(
        "UPDATE workspaces SET name = $3, slug = $4 WHERE tenant_id = $1 AND id = $2",
        ground.tenant_id, ground.workspace_id, ground.text("home"), ground.marker,
    )  # fmt: skip
    secret = Token.new("invite", ground.tenant_id, ground.new("Invitation", "pending"))
    await insert(
        "invitations",
        id=secret.row_id,
        email=ground.email("guest"),
        email_key=ground.email("guest"),
        role="member",
        workspace_roles=[{"workspace_id": str(ground.workspace_id), "role": "viewer"}],
        invited_by=ground.text("inviter"),
        secret_hash=hash_secret(secret.secret),
        state="pending",
        version=1,
        expires_at=ground.now + timedelta(days=7),
        created_at=ground.now,
        updated_at=ground.now,
    )


async def _person(ground: Ground, tenant: MadeTenant, user_id: UUID, roles: Mapping[UUID, WorkspaceRole]) -> Caller:
    """A member with these roles in workspaces; in the tenant's transaction."""
    is_neighbour = tenant.workspace_id not in roles
    membership_id, session_id = (ground.new("Member", "next door") if is_neighbour else new_id()), new_id()
    email = f"{user_id.hex}@acme.example"
    await insert(
        "memberships",
        id=membership_id,
        user_id=user_id,
        role="member",
        email=email,
        display_name="Next",
        **ground.times(),
    )
    for workspace_id, role in roles.items():
        await insert(
            "workspace_memberships",
            id=new_id(),
            workspace_id=workspace_id,
            membership_id=membership_id,
            role=role,
            created_at=ground.now,
            updated_at=ground.now,
        )
    await insert(
        "sessions",
        id=session_id,
        user_id=user_id,
        auth_epoch=1,
        address="192.0.2.2",
        user_agent="tests",
        created_at=ground.now,
        last_used_at=ground.now,
        expires_at=ground.now + timedelta(days=1),
    )
    return replace(tenant.owner, user_id=user_id, session_id=session_id, role=TenantRole.MEMBER, workspaces=dict(roles))


async def _users_like(user_id: UUID, count: int) -> list[UUID]:
    """Logins as the one of this user, with addresses of their own."""
    made = [new_id() for _ in range(count)]
    async with shared_transaction():
        names = [row["attname"] for row in await current().fetch(_COLUMNS)]
        own = {"id": "$2::uuid", "email": "$3::text", "email_key": "$3::text"}
        picked = ", ".join(own.get(name, name) for name in names)
        for each in made:
            await current().execute(
                f"INSERT INTO users ({', '.join(names)}) SELECT {picked} FROM users WHERE id = $1",
                user_id,
                each,
                f"{each.hex}@acme.example",
            )
    return made


async def _give_password(resources: Resources, tenant_id: UUID) -> None:
    """Everybody signs in with PASSWORD."""
    hashed = await resources.port(Passwords).hash(PASSWORD)
    async with shared_transaction():
        await current().execute("UPDATE users SET password_hash = $2 WHERE $1 = ANY (tenant_hints)", tenant_id, hashed)


def _receive_mail(ground: Ground) -> None:
    inbox = ground.resources.port(SandboxInbox)
    if isinstance(inbox, FakeSandbox):
        inbox.mails[ground.tenant_id] = [
            SandboxMail(
                position=1,
                received_at=ground.now,
                disposition="ACCEPTED",
                behaviour="accept",
                reply=ground.text("ok"),
                sender=ground.email("bounce"),
                recipients=(ground.email("to"),),
                message_id=f"<{ground.marker}@mail.example>",
                subject=ground.text("subject"),
                tls="TLSv1.3",
                size_bytes=3,
                source=ground.text("source"),
            )
        ]
