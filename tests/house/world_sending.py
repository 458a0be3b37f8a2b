"""A world's mailboxes, keys, campaigns with their ledger, suppressions, jobs, events and figures."""

from datetime import timedelta

from app.core.ids import new_id
from app.outreach.rules.sent_values import SentValues, finish
from app.outreach.rules.template_rendering import MissingFieldRule, TemplateSource, compile_template
from tests.house.world_rows import Ground, insert

CAMPAIGNS = ("draft", "running", "paused", "completed", "cancelled", "archived")
MESSAGES = {
    "in_doubt": "in_progress",
    "sent": "completed",
    "queued": "in_progress",
    "deferred": "in_progress",
    "bounced": "stopped",
    "failed": "stopped",
    "planned": "in_progress",
    "cancelled": "cancelled",
}
JOBS = ("dead", "queued", "completed")


async def insert_mailboxes(ground: Ground) -> None:
    for state in ("verified", "paused", "unverified", "failed", "disconnected"):
        mailbox_id = ground.new("Mailbox", state)
        stands = "verified" if state == "paused" else state
        is_gone = state == "disconnected"
        cipher = ground.resources.cipher
        sealed = cipher.seal(
            b"secret", tenant_id=ground.tenant_id, table="mailboxes", column="smtp_secret", row_id=mailbox_id
        )
        address = f"{state}@{ground.marker}.example"
        await insert(
            "mailboxes",
            id=mailbox_id,
            workspace_id=ground.workspace_id,
            address=address,
            address_key=address,
            domain=f"{ground.marker}.example",
            display_name=ground.text("display"),
            smtp_host=f"smtp.{ground.marker}.example",
            smtp_port=587,
            smtp_security="STARTTLS",
            smtp_username=ground.text("user"),
            smtp_secret=None if is_gone else sealed,
            smtp_version=1,
            state=stands,
            paused_at=ground.now if state == "paused" else None,
            pause_reason=ground.text("pause") if state == "paused" else None,
            daily_cap=100,
            minimum_gap_seconds=0,
            verdict_problem="AUTH_REFUSED" if state == "failed" else None,
            verdict_sentence=ground.text("verdict"),
            verdict_at=ground.now,
            **ground.times(),
        )
        await insert(
            "mailbox_runs", mailbox_id=mailbox_id, fence=1, sent_on=ground.now.date(), sent_today=1, failures=0
        )
    await insert(
        "provider_slowdowns",
        mailbox_id=ground.new("Mailbox", "verified"),
        recipient_domain="slow.example",
        level=1,
        until_at=ground.ago(hours=-1),
        reply=ground.text("slow down"),
    )


async def insert_dkim_keys(ground: Ground) -> None:
    for state in ("pending", "active", "retired"):
        key_id = ground.new("DkimKey", state)
        sealed = ground.resources.cipher.seal(
            b"key", tenant_id=ground.tenant_id, table="dkim_keys", column="private_key", row_id=key_id
        )
        await insert(
            "dkim_keys",
            id=key_id,
            workspace_id=ground.workspace_id,
            domain=f"{ground.marker}.example",
            selector=f"pm{key_id.hex[:12]}{state}",
            private_key=None if state == "retired" else sealed,
            public_record=f"v=DKIM1; p={ground.marker}",
            state=state,
            version=1,
            created_at=ground.now,
            activated_at=None if state == "pending" else ground.now,
            retired_at=ground.now if state == "retired" else None,
        )


async def insert_campaigns(ground: Ground) -> None:
    """One of each state; the running one has a message of each state."""
    for state in CAMPAIGNS:
        campaign_id, step_id, variant_id = (
            ground.new("Campaign", state),
            ground.new("Step", state),
            ground.new("Variant", state),
        )
        stands = "completed" if state == "archived" else state
        launched = state != "draft"
        await insert(
            "campaigns",
            id=campaign_id,
            workspace_id=ground.workspace_id,
            name=ground.text(f"campaign {state}"),
            state=stands,
            list_id=ground.new("ContactList"),
            postal_address=ground.text("address") if launched else None,
            enrolling=False,
            launched_at=ground.now if launched else None,
            paused_at=ground.now if state == "paused" else None,
            completed_at=ground.now if stands == "completed" else None,
            cancelled_at=ground.now if state == "cancelled" else None,
            archived_at=ground.now if state == "archived" else None,
            **ground.times(),
        )
        await insert("sequence_steps", id=step_id, campaign_id=campaign_id, position=1)
        await insert(
            "step_variants",
            id=variant_id,
            step_id=step_id,
            template_id=ground.new("Template"),
            template_version_id=ground.new("TemplateVersion") if launched else None,
            weight=1,
        )
        await insert("campaign_mailboxes", campaign_id=campaign_id, mailbox_id=ground.new("Mailbox", "verified"))
        await insert("campaign_counts", campaign_id=campaign_id, lane=campaign_id, waiting=1)
    mailbox_id = ground.new("Mailbox", "verified")
    await insert("campaign_counts", campaign_id=ground.new("Campaign", "running"), lane=mailbox_id, in_doubt=1, sent=1)
    for state in MESSAGES:
        await _insert_message(ground, state)


async def _insert_message(ground: Ground, state: str) -> None:
    contact_id, enrollment_id, message_id = new_id(), ground.new("Enrollment", state), ground.new("Message", state)
    campaign_id, mailbox_id = ground.new("Campaign", "running"), ground.new("Mailbox", "verified")
    email = ground.email(f"to-{state.replace('_', '-')}")
    ground.made["Contact"][f"mailed {state}"] = contact_id
    await insert(
        "contacts",
        id=contact_id,
        workspace_id=ground.workspace_id,
        email=email,
        email_key=email,
        first_name=ground.text("first"),
        last_name="",
        company="",
        fields={},
        status="active",
        **ground.times(),
    )
    await insert(
        "enrollments",
        id=enrollment_id,
        campaign_id=campaign_id,
        contact_id=contact_id,
        state=MESSAGES[state],
        next_position=1,
        created_at=ground.now,
    )
    waits = state in ("planned", "queued", "deferred")
    tried = state in ("in_doubt", "sent", "deferred", "bounced", "failed")
    values = _sent_values(ground, email)
    await insert(
        "messages",
        id=message_id,
        workspace_id=ground.workspace_id,
        campaign_id=campaign_id,
        step_id=ground.new("Step", "running"),
        variant_id=ground.new("Variant", "running"),
        template_version_id=ground.new("TemplateVersion"),
        enrollment_id=enrollment_id,
        contact_id=contact_id,
        mailbox_id=mailbox_id,
        to_address=email,
        email_key=email,
        recipient_domain="people.example",
        state=state,
        due_at=ground.ago(hours=-1) if waits else None,
        fence=1,
        attempts=int(tried),
        first_tried_at=ground.now if tried else None,
        submitted_at=ground.now if tried else None,
        settled_at=None if waits else ground.now,
        message_id_header=values.message_id if tried else None,
        content_sha256=finish(compile_template(_source(ground)), values).content_sha256 if tried else None,
        merge_values=values.to_json() if tried else None,
        reply=ground.text("reply") if tried else None,
        reason=ground.text("reason"),
        version=1,
        created_at=ground.now,
    )
    if tried:
        await insert(
            "message_attempts",
            id=new_id(),
            message_id=message_id,
            mailbox_id=mailbox_id,
            outcome=state,
            reply=ground.text("reply"),
            reason=ground.text("reason"),
            at=ground.now,
        )


def _source(ground: Ground) -> TemplateSource:
    """What insert_content stores as the template's version."""
    return TemplateSource(
        ground.text("subject for {{ first_name }}"),
        ground.text("text for {{ first_name }}"),
        f"<p>{ground.marker}</p>",
        MissingFieldRule.EMPTY,
    )


def _sent_values(ground: Ground, email: str) -> SentValues:
    return SentValues(
        fields={"email": email, "first_name": ground.text("first")},
        postal_address=ground.text("street"),
        unsubscribe_url=f"https://mail.example/u/{ground.marker}",
        from_address=f"verified@{ground.marker}.example",
        from_name=ground.text("display"),
        to_address=email,
        message_id=f"<{ground.marker}@mail.example>",
        date=ground.now.replace(microsecond=0),
    )


async def insert_suppressions(ground: Ground) -> None:
    for state in ("manual", "bounced"):
        await insert(
            "suppressions",
            id=ground.new("Suppression", state),
            email_key=ground.email(f"never-{state}"),
            reason=state,
            source="person",
            note=ground.text("note"),
            campaign_id=ground.new("Campaign", "running"),
            created_at=ground.now,
        )


async def insert_platform(ground: Ground) -> None:
    """Jobs, live events with their positions, an entry of the audit trail, an idempotency answer."""
    for state in JOBS:
        await insert(
            "jobs",
            id=ground.new("Job", state),
            queue=ground.marker,
            priority=1,
            kind="session.expire",
            payload={"note": ground.text("payload")},
            state=state,
            due_at=ground.ago(hours=-1) if state == "queued" else None,
            fence=1,
            attempt=3,
            max_attempts=3,
            timeout_seconds=60,
            request_id=ground.marker,
            error=ground.text("error"),
            created_at=ground.now,
            finished_at=None if state == "queued" else ground.now,
        )
    objects = {"Campaign": "running", "ContactImport": "queued", "Mailbox": "verified", "Message": "in_doubt"}
    for position, (object_type, state) in enumerate(objects.items(), 1):
        await insert(
            "live_events",
            id=new_id(),
            position=position,
            campaign_id=ground.new("Campaign", "running"),
            topic="message.sent",
            workspace_id=ground.workspace_id,
            object_type=object_type,
            object_id=ground.new(object_type, state),
            version=1,
            payload={
                "campaign_id": str(ground.new("Campaign", "running")),
                "mailbox_id": str(ground.new("Mailbox", "verified")),
                "recipient": ground.email("event"),
                "reason": ground.text("reason"),
                "reply": ground.text("reply"),
                "state": "sent",
            },
            created_at=ground.now,
        )
    await insert("live_heads", last_position=len(objects), expired_position=0)
    await insert(
        "audit_log",
        id=new_id(),
        action="campaign.launch",
        actor=f"user:{ground.user_id}",
        object_type="Campaign",
        object_id=ground.new("Campaign", "running"),
        details={"name": ground.text("name")},
        address="192.0.2.9",
        request_id=ground.marker,
        created_at=ground.now,
    )


async def insert_figures(ground: Ground) -> None:
    """In the OLAP tier."""
    await insert(
        "sending_days",
        sent_on=ground.now.date() - timedelta(days=1),
        campaign_id=ground.new("Campaign", "running"),
        mailbox_id=ground.new("Mailbox", "verified"),
        workspace_id=ground.workspace_id,
        sent=7,
        bounced=1,
        failed=1,
        deferred=1,
        in_doubt=1,
    )
