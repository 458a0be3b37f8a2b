"""The tables that belong to no tenant, each with its reason. Every other table is walled, or the catalog test fails."""

SHARED_TABLES: dict[str, dict[str, str]] = {
    "oltp": {
        "users": "a login may belong to several tenants; the row holds only what sign-in needs",
        "user_tokens": "verification and password reset happen before a tenant is known",
        "user_totp": "the second factor belongs to the login, and is asked for before a tenant is known",
        "user_recovery_codes": "as user_totp",
        "relay_lease": "which relay process leads; no tenant's data",
        "migration": "bookkeeping of migrations",
    },
    "content": {"migration": "bookkeeping of migrations"},
    "olap": {"migration": "bookkeeping of migrations"},
}

# Indexes that may start with another column than tenant_id: only the platform's own loops read by them.
LOOP_INDEXES = frozenset({"jobs_due", "jobs_due_fair", "jobs_in_flight", "live_events_unnumbered"})
