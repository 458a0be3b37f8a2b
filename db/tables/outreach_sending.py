"""Campaigns, the ledger and suppressions as Piccolo knows them; the migration is the truth and a test compares both."""

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Bytea, Integer, SmallInt, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import OLTP


class Campaign(Table, tablename="campaigns", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    name = Varchar(length=120)
    state = Varchar(length=20)
    list_id = UUID(null=True)
    postal_address = Varchar(length=500, null=True)
    enrolled_until = UUID(null=True)
    enrolling = Boolean()
    launched_at = Timestamptz(null=True)
    paused_at = Timestamptz(null=True)
    completed_at = Timestamptz(null=True)
    cancelled_at = Timestamptz(null=True)
    archived_at = Timestamptz(null=True)
    version = Integer()
    created_at = Timestamptz()
    updated_at = Timestamptz()


class SequenceStep(Table, tablename="sequence_steps", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    campaign_id = UUID()
    position = SmallInt()


class StepVariant(Table, tablename="step_variants", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    step_id = UUID()
    template_id = UUID()
    template_version_id = UUID(null=True)
    weight = SmallInt()


class CampaignMailbox(Table, tablename="campaign_mailboxes", db=OLTP):
    tenant_id = UUID()
    campaign_id = UUID()
    mailbox_id = UUID(primary_key=True)


class CampaignCounts(Table, tablename="campaign_counts", db=OLTP):
    tenant_id = UUID()
    campaign_id = UUID()
    lane = UUID(primary_key=True)
    waiting = Integer()
    queued = Integer()
    deferred = Integer()
    sent = Integer()
    bounced = Integer()
    failed = Integer()
    in_doubt = Integer()
    cancelled = Integer()
    suppressed = Integer()
    rate_window = BigInt()
    rate_sent = Integer()
    rate_before = Integer()


class Enrollment(Table, tablename="enrollments", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    campaign_id = UUID()
    contact_id = UUID()
    state = Varchar(length=20)
    next_position = SmallInt()
    due_at = Timestamptz(null=True)
    created_at = Timestamptz()


class Message(Table, tablename="messages", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    campaign_id = UUID()
    step_id = UUID()
    variant_id = UUID()
    template_version_id = UUID()
    enrollment_id = UUID()
    contact_id = UUID()
    mailbox_id = UUID(null=True)
    to_address = Varchar(length=254)
    email_key = Varchar(length=254)
    recipient_domain = Varchar(length=253)
    state = Varchar(length=20)
    due_at = Timestamptz(null=True)
    fence = Integer()
    attempts = SmallInt()
    first_tried_at = Timestamptz(null=True)
    submitted_at = Timestamptz(null=True)
    settled_at = Timestamptz(null=True)
    message_id_header = Varchar(length=320, null=True)
    content_sha256 = Bytea(null=True)
    merge_values = JSONB(null=True)
    reply = Text(null=True)
    reason = Text(null=True)
    version = Integer()
    created_at = Timestamptz()


class MessageAttempt(Table, tablename="message_attempts", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    message_id = UUID()
    mailbox_id = UUID()
    outcome = Varchar(length=20)
    reply = Text(null=True)
    reason = Text(null=True)
    at = Timestamptz()


class Suppression(Table, tablename="suppressions", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    email_key = Varchar(length=254)
    reason = Varchar(length=20)
    source = Varchar(length=40)
    note = Text(null=True)
    campaign_id = UUID(null=True)
    created_at = Timestamptz()
