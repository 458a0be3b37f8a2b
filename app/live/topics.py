"""Every fact that can be watched live. An event is a frozen dataclass; its own fields are its payload."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """A fact that happened to one object. `version` is the object's, raised in the UPDATE that made the fact."""

    topic: ClassVar[str]
    object_type: ClassVar[str]

    workspace_id: UUID | None
    object_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatusChanged(LiveEvent):
    """A mailbox was connected, tested, paused, resumed, slowed down, changed or disconnected; `reason` says why."""

    topic: ClassVar[str] = "mailbox.status_changed"
    object_type: ClassVar[str] = "Mailbox"

    state: str
    paused: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatusChanged(LiveEvent):
    """A campaign was launched, paused, resumed, completed, cancelled, archived or changed."""

    topic: ClassVar[str] = "campaign.status_changed"
    object_type: ClassVar[str] = "Campaign"

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignProgressed(LiveEvent):
    """A batch of the campaign moved: contacts were enrolled, messages planned, taken back or cancelled."""

    topic: ClassVar[str] = "campaign.progressed"
    object_type: ClassVar[str] = "Campaign"

    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEvent(LiveEvent):
    """What the events of one message say: its state after the fact, its mailbox, its recipient, the server's words."""

    topic: ClassVar[str] = "message.changed"
    object_type: ClassVar[str] = "Message"

    campaign_id: UUID
    mailbox_id: UUID | None
    recipient: str
    state: str
    reason: str | None
    reply: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(MessageEvent):
    topic: ClassVar[str] = "message.sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeferred(MessageEvent):
    topic: ClassVar[str] = "message.deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBounced(MessageEvent):
    topic: ClassVar[str] = "message.bounced"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFailed(MessageEvent):
    topic: ClassVar[str] = "message.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageInDoubt(MessageEvent):
    topic: ClassVar[str] = "message.in_doubt"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQueued(MessageEvent):
    """It was put back before anything could be taken, or a person found that it was not sent."""

    topic: ClassVar[str] = "message.queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCancelled(MessageEvent):
    topic: ClassVar[str] = "message.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSuppressed(LiveEvent):
    """An address will not be written to again, by anybody in the tenant."""

    topic: ClassVar[str] = "contact.suppressed"
    object_type: ClassVar[str] = "Suppression"

    email: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactUnsuppressed(LiveEvent):
    topic: ClassVar[str] = "contact.unsuppressed"
    object_type: ClassVar[str] = "Suppression"

    email: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettingsChanged(LiveEvent):
    """Postal address, time zone, name or sending defaults of the tenant."""

    topic: ClassVar[str] = "tenant.settings_changed"
    object_type: ClassVar[str] = "TenantSettings"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceEvent(LiveEvent):
    """What the events of a workspace say."""

    topic: ClassVar[str] = "workspace.changed"
    object_type: ClassVar[str] = "Workspace"

    name: str
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceCreated(WorkspaceEvent):
    topic: ClassVar[str] = "workspace.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceUpdated(WorkspaceEvent):
    topic: ClassVar[str] = "workspace.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceArchived(WorkspaceEvent):
    topic: ClassVar[str] = "workspace.archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberEvent(LiveEvent):
    """What the events of a member say; no address, since every member may watch the tenant's events."""

    topic: ClassVar[str] = "member.changed"
    object_type: ClassVar[str] = "Member"

    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJoined(MemberEvent):
    topic: ClassVar[str] = "member.joined"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged(MemberEvent):
    """The role in the tenant or in a workspace."""

    topic: ClassVar[str] = "member.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved(MemberEvent):
    topic: ClassVar[str] = "member.removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationChanged(LiveEvent):
    """An invitation was made, accepted or revoked: its `state` after the fact."""

    topic: ClassVar[str] = "invitation.changed"
    object_type: ClassVar[str] = "Invitation"

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChanged(LiveEvent):
    """A contact was created, updated or deleted by hand. Imports tell of themselves instead."""

    topic: ClassVar[str] = "contact.changed"
    object_type: ClassVar[str] = "Contact"

    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactListChanged(LiveEvent):
    """A list was created, renamed, deleted, or its members changed."""

    topic: ClassVar[str] = "contact_list.changed"
    object_type: ClassVar[str] = "ContactList"

    change: str
    contact_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactImportProgressed(LiveEvent):
    """An import was queued, went on by a batch, or ended; its counts after the fact."""

    topic: ClassVar[str] = "contact_import.progressed"
    object_type: ClassVar[str] = "ContactImport"

    state: str
    rows_read: int
    rows_imported: int
    rows_duplicate: int
    rows_rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChanged(LiveEvent):
    """A template was created, updated or deleted; `template_version` counts its versions."""

    topic: ClassVar[str] = "template.changed"
    object_type: ClassVar[str] = "Template"

    change: str
    template_version: int
