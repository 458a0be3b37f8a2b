"""Campaigns with their one step and its variants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.core.paging import Page
from db.core.rows import all_rows, columns, insert_row, one_row
from db.core.transaction import current


@dataclass(frozen=True, slots=True)
class Campaign:
    """`enrolled_until` is the last list member that enrolment has reached; `postal_address` is frozen at launch."""

    tenant_id: UUID
    id: UUID
    workspace_id: UUID
    name: str
    state: str
    list_id: UUID | None
    postal_address: str | None
    enrolled_until: UUID | None
    enrolling: bool
    launched_at: datetime | None
    paused_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    archived_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Variant:
    """A template of a step, with its share of the contacts. The version is frozen at launch."""

    campaign_id: UUID
    step_id: UUID
    id: UUID
    template_id: UUID
    template_version_id: UUID | None
    weight: int


async def insert_campaign(campaign: Campaign) -> None:
    await insert_row("campaigns", campaign)


async def campaign_by_id(campaign_id: UUID) -> Campaign | None:
    return await one_row(
        Campaign,
        f"SELECT {columns(Campaign)} FROM campaigns WHERE tenant_id = $1 AND id = $2",
        current().tenant_id,
        campaign_id,
    )


async def lock_campaign(campaign_id: UUID) -> Campaign | None:
    return await one_row(
        Campaign,
        f"SELECT {columns(Campaign)} FROM campaigns WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        current().tenant_id,
        campaign_id,
    )


async def campaigns_by_ids(ids: Sequence[UUID]) -> list[Campaign]:
    return await all_rows(
        Campaign,
        f"SELECT {columns(Campaign)} FROM campaigns WHERE tenant_id = $1 AND id = ANY ($2::uuid[])",
        current().tenant_id,
        list(ids),
    )


async def campaigns(workspace_id: UUID, *, archived: bool, first: int, after: UUID | None) -> Page[Campaign]:
    """Of a workspace, newest first; archived ones only when asked for."""
    rows = await all_rows(
        Campaign,
        f"SELECT {columns(Campaign)} FROM campaigns WHERE tenant_id = $1 AND workspace_id = $2 "
        "AND ($3 OR archived_at IS NULL) AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5",
        current().tenant_id,
        workspace_id,
        archived,
        after,
        first + 1,
    )
    return Page.cut(rows, first)


async def update_campaign(changed: Campaign) -> None:
    """Writes everything but the tenant, the workspace and what enrolment moves; see move_enrollment."""
    await current().execute(
        """
        UPDATE campaigns SET name = $3, state = $4, list_id = $5, postal_address = $6, enrolling = $7, launched_at = $8,
          paused_at = $9, completed_at = $10, cancelled_at = $11, archived_at = $12, version = $13, updated_at = $14
        WHERE tenant_id = $1 AND id = $2
        """,
        changed.tenant_id,
        changed.id,
        changed.name,
        changed.state,
        changed.list_id,
        changed.postal_address,
        changed.enrolling,
        changed.launched_at,
        changed.paused_at,
        changed.completed_at,
        changed.cancelled_at,
        changed.archived_at,
        changed.version,
        changed.updated_at,
    )


async def raise_version(campaign_id: UUID) -> int:
    """For facts that change no other column; returns the new version."""
    version: int = await current().fetchval(
        "UPDATE campaigns SET version = version + 1 WHERE tenant_id = $1 AND id = $2 RETURNING version",
        current().tenant_id,
        campaign_id,
    )
    return version


async def variants(campaign_ids: Sequence[UUID]) -> list[Variant]:
    """Of several campaigns, in the order that variant_for counts on."""
    return await all_rows(
        Variant,
        """
        SELECT s.campaign_id, s.id, v.id, v.template_id, v.template_version_id, v.weight
        FROM sequence_steps s JOIN step_variants v ON v.tenant_id = s.tenant_id AND v.step_id = s.id
        WHERE s.tenant_id = $1 AND s.campaign_id = ANY ($2::uuid[])
        ORDER BY s.campaign_id, s.position, v.id
        """,
        current().tenant_id,
        list(campaign_ids),
    )


async def insert_step(step_id: UUID, campaign_id: UUID, position: int) -> None:
    await current().execute(
        "INSERT INTO sequence_steps (tenant_id, id, campaign_id, position) VALUES ($1, $2, $3, $4)",
        current().tenant_id,
        step_id,
        campaign_id,
        position,
    )


async def first_step_id(campaign_id: UUID) -> UUID:
    step_id: UUID = await current().fetchval(
        "SELECT id FROM sequence_steps WHERE tenant_id = $1 AND campaign_id = $2 ORDER BY position LIMIT 1",
        current().tenant_id,
        campaign_id,
    )
    return step_id


async def replace_variants(step_id: UUID, new: Sequence[tuple[UUID, UUID, int]]) -> None:
    """Rows of (variant id, template id, weight); only before launch, while no message names a variant."""
    await current().execute(
        "DELETE FROM step_variants WHERE tenant_id = $1 AND step_id = $2", current().tenant_id, step_id
    )
    await current().executemany(
        "INSERT INTO step_variants (tenant_id, step_id, id, template_id, weight) VALUES ($1, $2, $3, $4, $5)",
        [(current().tenant_id, step_id, *row) for row in new],
    )


async def freeze_versions(campaign_id: UUID) -> int:
    """Each variant keeps the template version that is current now. Returns how many templates still stood."""
    status = await current().execute(
        """
        UPDATE step_variants v SET template_version_id = t.current_version_id
        FROM templates t, sequence_steps s
        WHERE v.tenant_id = $1 AND s.tenant_id = $1 AND s.campaign_id = $2 AND v.step_id = s.id
          AND t.tenant_id = $1 AND t.id = v.template_id AND t.archived_at IS NULL
        """,
        current().tenant_id,
        campaign_id,
    )
    return int(status.rpartition(" ")[2])


async def usable_templates(workspace_id: UUID, ids: Sequence[UUID]) -> set[UUID]:
    """Which of the templates exist in the workspace and are not archived."""
    rows = await current().fetch(
        "SELECT id FROM templates WHERE tenant_id = $1 AND workspace_id = $2 AND id = ANY ($3::uuid[]) "
        "AND archived_at IS NULL",
        current().tenant_id,
        workspace_id,
        list(ids),
    )
    return {row["id"] for row in rows}


async def list_exists(workspace_id: UUID, list_id: UUID | None) -> bool:
    """Holds the list until the commit: it is not deleted meanwhile."""
    found = await current().fetchval(
        "SELECT true FROM contact_lists WHERE tenant_id = $1 AND workspace_id = $2 AND id = $3 FOR KEY SHARE",
        current().tenant_id,
        workspace_id,
        list_id,
    )
    return bool(found)


async def enrolling_campaign(workspace_id: UUID, list_id: UUID) -> str | None:
    """The name of a campaign that still takes contacts from the list; None when there is none."""
    name: str | None = await current().fetchval(
        "SELECT name FROM campaigns WHERE tenant_id = $1 AND workspace_id = $2 AND list_id = $3 AND enrolling LIMIT 1",
        current().tenant_id,
        workspace_id,
        list_id,
    )
    return name


async def list_has_members(list_id: UUID | None) -> bool:
    return bool(
        await current().fetchval(
            "SELECT EXISTS (SELECT 1 FROM contact_list_members WHERE tenant_id = $1 AND list_id = $2)",
            current().tenant_id,
            list_id,
        )
    )
