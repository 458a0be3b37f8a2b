"""Piccolo's picture of the idempotency table, for the drift test; queries use SQL."""

from piccolo.columns import JSONB, UUID, Bytea, Timestamptz, Varchar
from piccolo.table import Table

from db.core.tiers import OLTP


class IdempotencyAnswers(Table, tablename="idempotency_answers", db=OLTP):
    tenant_id = UUID(null=False, default=None)
    id = UUID(primary_key=True, null=False, default=None)
    actor = Varchar(length=120, default=None)
    operation = Varchar(length=80, default=None)
    key = Varchar(length=255, default=None)
    input_hash = Bytea(default=None)
    state = Varchar(length=20, default=None)
    fence = UUID(default=None)
    lease_until = Timestamptz(default=None)
    answer = JSONB(null=True, default=None)
    created_at = Timestamptz(default=None)
