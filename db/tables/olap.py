"""The OLAP tier as Piccolo knows it; the migration is the truth and a test compares both."""

from piccolo.columns import UUID, BigInt, Date, Integer, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import OLAP


class SendingDay(Table, tablename="sending_days", db=OLAP):
    tenant_id = UUID()
    sent_on = Date()
    campaign_id = UUID()
    mailbox_id = UUID(primary_key=True)
    workspace_id = UUID()
    sent = Integer()
    bounced = Integer()
    failed = Integer()
    deferred = Integer()
    in_doubt = Integer()


class RollupMark(Table, tablename="rollup_marks", db=OLAP):
    tenant_id = UUID()
    name = Varchar(length=40, primary_key=True)
    position = BigInt()
    counted_at = Timestamptz()
