"""The platform's tables as Piccolo knows them; the migration is the truth and a test compares both."""

from piccolo.columns import JSONB, UUID, BigInt, Integer, SmallInt, Text, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import OLTP


class Job(Table, tablename="jobs", db=OLTP):
    """The outbox: work that was committed and waits, runs, or ended."""

    tenant_id = UUID()
    id = UUID(primary_key=True)
    queue = Varchar(length=40)
    priority = SmallInt()
    kind = Varchar(length=80)
    payload = JSONB()
    state = Varchar(length=20)
    due_at = Timestamptz(null=True)
    dispatched_at = Timestamptz(null=True)
    lease_until = Timestamptz(null=True)
    fence = Integer()
    attempt = SmallInt()
    max_attempts = SmallInt()
    timeout_seconds = Integer()
    dedupe_key = Varchar(length=200, null=True)
    request_id = Varchar(length=64)
    worker = Varchar(length=120, null=True)
    error = Text(null=True)
    created_at = Timestamptz()
    finished_at = Timestamptz(null=True)


class LiveEvent(Table, tablename="live_events", db=OLTP):
    """Facts in the order in which the relay numbered them."""

    tenant_id = UUID()
    id = UUID(primary_key=True)
    position = BigInt(null=True)
    topic = Varchar(length=80)
    workspace_id = UUID(null=True)
    object_type = Varchar(length=40)
    object_id = UUID()
    version = Integer()
    payload = JSONB()
    created_at = Timestamptz()
    campaign_id = UUID(null=True)


class LiveHead(Table, tablename="live_heads", db=OLTP):
    """Per tenant: the last position given, and the last one that retention removed."""

    tenant_id = UUID(primary_key=True)
    last_position = BigInt()
    expired_position = BigInt()


class AuditEntry(Table, tablename="audit_log", db=OLTP):
    """Who did what, when and from where; the app role only adds."""

    tenant_id = UUID()
    id = UUID(primary_key=True)
    action = Varchar(length=80)
    actor = Varchar(length=80)
    object_type = Varchar(length=40)
    object_id = UUID(null=True)
    details = JSONB()
    address = Varchar(length=64)
    request_id = Varchar(length=64)
    created_at = Timestamptz()


class RelayLease(Table, tablename="relay_lease", db=OLTP):
    """Shared: which relay process leads, and under which fence."""

    name = Varchar(length=40, primary_key=True)
    holder = Varchar(length=120)
    fence = BigInt()
    lease_until = Timestamptz()
