"""Live events by their campaign, so that a campaign's subscribers do not read through everybody else's events."""

from db.core.migration import Plain, sql_migration

MIGRATION = sql_migration(
    "oltp",
    "oltp_2026_11_24_0070_campaign_events",
    "live events by campaign",
    [
        # A column of its own, because no index on payload ->> 'campaign_id' is used behind the wall: the operator is not
        # leakproof. Numbering fills it, so recording an event costs nothing more.
        "ALTER TABLE live_events ADD COLUMN campaign_id uuid",
        "UPDATE live_events SET campaign_id = CASE WHEN object_type = 'Campaign' THEN object_id "
        "ELSE (payload ->> 'campaign_id')::uuid END WHERE position IS NOT NULL",
        "CREATE INDEX live_events_campaign ON live_events (tenant_id, campaign_id, position) WHERE campaign_id IS NOT NULL",
        Plain("GRANT UPDATE (campaign_id) ON live_events TO penguinmails_system"),
    ],
)
