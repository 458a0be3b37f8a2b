"""Sending by day in the public schema."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from app.analytics import sending_reports as use
from app.analytics.sending_reports import SendingDay as SendingDayRow
from graph.context import Info
from graph.core.connections import bounded
from graph.core.ids import global_id, local_id
from graph.core.query import query


# ---- types
@strawberry.type(description="What happened to the messages of one campaign and mailbox on one day.")
class SendingDay:
    on: date = strawberry.field(description="The day, in the tenant's time zone.")
    campaign_id: strawberry.ID = strawberry.field(description="The campaign.")
    mailbox_id: strawberry.ID = strawberry.field(description="The mailbox.")
    sent: int = strawberry.field(description="Messages that a server took.")
    bounced: int = strawberry.field(description="Messages to bad addresses.")
    failed: int = strawberry.field(description="Messages refused for good or given up.")
    deferred: int = strawberry.field(description="Tries that a server put off.")
    in_doubt: int = strawberry.field(description="Messages that came into doubt, resolved or not since.")

    @staticmethod
    def of(row: SendingDayRow) -> "SendingDay":
        return SendingDay(
            on=row.sent_on,
            campaign_id=global_id("Campaign", row.campaign_id),
            mailbox_id=global_id("Mailbox", row.mailbox_id),
            sent=row.sent,
            bounced=row.bounced,
            failed=row.failed,
            deferred=row.deferred,
            in_doubt=row.in_doubt,
        )


@strawberry.type(description="Sending by day, and how current the figures are.")
class SendingReport:
    days: list[SendingDay] = strawberry.field(
        description="By day, campaign and mailbox.", metadata=bounded("at most 366 days and 1000 rows")
    )
    as_of: datetime | None = strawberry.field(description="When they were last counted; null before the first time.")
    stale: bool = strawberry.field(description="Whether newer facts are missing from them.")
    stale_reason: str | None = strawberry.field(description="Why they are stale.")


# ---- queries
@strawberry.type
class SendingReportQueries:
    @query(uses=use.sending_report, description="What was sent, by day.")
    async def sending_report(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        from_on: Annotated[date, strawberry.argument(description="The first day.")],
        to_on: Annotated[date, strawberry.argument(description="The last day.")],
    ) -> SendingReport:
        place = local_id(workspace_id, "Workspace")
        report = await use.sending_report(info.context.caller, place, from_on=from_on, to_on=to_on)
        return SendingReport(
            days=[SendingDay.of(row) for row in report.days],
            as_of=report.counted_at,
            stale=report.stale_reason is not None,
            stale_reason=report.stale_reason,
        )
