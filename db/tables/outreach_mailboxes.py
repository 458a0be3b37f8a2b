"""Mailboxes and DKIM keys as Piccolo knows them; the migration is the truth and a test compares both."""

from piccolo.columns import UUID, Bytea, Date, Integer, SmallInt, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import OLTP


class Mailbox(Table, tablename="mailboxes", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    address = Varchar(length=254)
    address_key = Varchar(length=254)
    domain = Varchar(length=253)
    display_name = Varchar(length=120)
    smtp_host = Varchar(length=253)
    smtp_port = Integer()
    smtp_security = Varchar(length=20)
    smtp_username = Varchar(length=320)
    smtp_secret = Bytea(null=True)
    smtp_version = Integer()
    state = Varchar(length=20)
    paused_at = Timestamptz(null=True)
    pause_reason = Text(null=True)
    daily_cap = Integer()
    minimum_gap_seconds = Integer()
    verdict_problem = Varchar(length=40, null=True)
    verdict_sentence = Text(null=True)
    verdict_at = Timestamptz(null=True)
    version = Integer()
    created_at = Timestamptz()
    updated_at = Timestamptz()


class MailboxRun(Table, tablename="mailbox_runs", db=OLTP):
    tenant_id = UUID()
    mailbox_id = UUID(primary_key=True)
    fence = Integer()
    lease_until = Timestamptz(null=True)
    sent_on = Date(null=True)
    sent_today = Integer()
    next_send_at = Timestamptz(null=True)
    failures = SmallInt()
    last_problem = Text(null=True)
    last_problem_at = Timestamptz(null=True)


class ProviderSlowdown(Table, tablename="provider_slowdowns", db=OLTP):
    tenant_id = UUID()
    mailbox_id = UUID(primary_key=True)
    recipient_domain = Varchar(length=253)
    level = SmallInt()
    until_at = Timestamptz()
    reply = Text()


class DkimKey(Table, tablename="dkim_keys", db=OLTP):
    tenant_id = UUID()
    id = UUID(primary_key=True)
    workspace_id = UUID()
    domain = Varchar(length=253)
    selector = Varchar(length=63)
    private_key = Bytea(null=True)
    public_record = Text()
    state = Varchar(length=20)
    version = Integer()
    created_at = Timestamptz()
    activated_at = Timestamptz(null=True)
    retired_at = Timestamptz(null=True)
