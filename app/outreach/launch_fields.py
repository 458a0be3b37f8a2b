"""Before a launch: the merge fields that no contact of the list has, so that every mail would fail."""

from collections.abc import Sequence
from uuid import UUID

from app.core.caller import Caller
from app.core.permissions import Permission
from app.outreach.access import reach
from app.outreach.rules.campaign_states import CampaignState, LackingField
from app.outreach.rules.needed_fields import needed_fields
from app.outreach.templates import template_sources
from db.queries.outreach import campaigns as query
from db.queries.outreach import contact_lists
from db.queries.outreach.templates import Template, templates_by_ids

MOST_FIELDS = 5  # each that is lacking costs a walk through the whole list: a second for 300,000 contacts


async def lacking_fields(caller: Caller, campaign_id: UUID) -> list[LackingField]:
    """Of a draft, by its templates as they are now; empty for a campaign in another state. The first few fields only.

    Opens transactions of its own that only read: what templates say is in the Content tier, and walking through a long
    list should hold no lock. Raises NotFound, Forbidden.
    """
    async with caller.transaction(read_only=True):
        found = await query.campaign_by_id(campaign_id)
        campaign = reach(caller, found, Permission.CAMPAIGNS_LAUNCH, noun="campaign", field="campaignId")
        if campaign.list_id is None or campaign.state != CampaignState.DRAFT:
            return []
        templates = await templates_by_ids([each.template_id for each in await query.variants([campaign_id])])
    needed = await _needed(caller, [each for each in templates if each.archived_at is None])
    if not needed:
        return []
    names = list(dict.fromkeys(each.field for each in needed))[:MOST_FIELDS]
    async with caller.transaction(read_only=True):
        lacking = await contact_lists.fields_of_nobody(campaign.list_id, names)
    return [each for each in needed if each.field in lacking]


async def _needed(caller: Caller, templates: Sequence[Template]) -> list[LackingField]:
    sources = await template_sources(caller, {each.current_version_id: each.id for each in templates})
    return [
        LackingField(field, template.name)
        for template in sorted(templates, key=lambda each: each.id)
        if template.current_version_id in sources
        for field in needed_fields(sources[template.current_version_id])
    ]
