"""Campaigns in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.outreach import campaign_views as views
from app.outreach import campaigns as use
from app.outreach.campaign_launch import launch_campaign
from app.outreach.campaign_views import CampaignCounts as CampaignCountsRow
from app.outreach.campaign_views import CampaignView
from app.outreach.campaign_views import Enrollment as EnrollmentRow
from app.outreach.campaigns import Campaign as CampaignRow
from app.outreach.campaigns import CampaignDraft, VariantChoice
from app.outreach.rules.campaign_states import CampaignState
from app.outreach.rules.message_states import EnrollmentState
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, bounded, connection, window
from graph.core.enums import describe_enum
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query

describe_enum(
    CampaignState,
    "Where a campaign stands.",
    {
        CampaignState.DRAFT: "Being written; nothing is sent.",
        CampaignState.RUNNING: "Messages are planned and sent.",
        CampaignState.PAUSED: "Nothing leaves until it is resumed.",
        CampaignState.COMPLETED: "Nothing waits, is queued or is to be tried again.",
        CampaignState.CANCELLED: "Ended for good; what had not left was cancelled.",
    },
)
describe_enum(
    EnrollmentState,
    "Where a contact stands in a campaign.",
    {
        EnrollmentState.WAITING: "Its next mail is not planned yet.",
        EnrollmentState.IN_PROGRESS: "A mail to it is planned, on its way, or in doubt.",
        EnrollmentState.COMPLETED: "Every mail was sent.",
        EnrollmentState.STOPPED: "A mail bounced or failed.",
        EnrollmentState.SUPPRESSED: "Its address is suppressed.",
        EnrollmentState.CANCELLED: "The campaign was cancelled before.",
    },
)


# ---- types
@strawberry.type(
    description="How many of a campaign's contacts stand where; the sum of all but `enrolled` is `enrolled`."
)
class CampaignCounts:
    enrolled: int = strawberry.field(description="All contacts of the campaign.")
    waiting: int = strawberry.field(description="Contacts without a message so far.")
    queued: int = strawberry.field(description="Messages that wait or are being submitted.")
    deferred: int = strawberry.field(description="Messages that a server asked us to try again later.")
    sent: int = strawberry.field(description="Messages that a server has taken.")
    bounced: int = strawberry.field(description="Messages to addresses that do not exist or take no mail.")
    failed: int = strawberry.field(description="Messages that were refused for good, given up, or could not be made.")
    in_doubt: int = strawberry.field(description="Messages of which nobody knows whether the server took them.")
    cancelled: int = strawberry.field(description="Messages and contacts that were cancelled.")
    suppressed: int = strawberry.field(description="Contacts whose address is suppressed.")

    @staticmethod
    def of(row: CampaignCountsRow) -> "CampaignCounts":
        return CampaignCounts(
            enrolled=row.enrolled,
            waiting=row.waiting,
            queued=row.queued,
            deferred=row.deferred,
            sent=row.sent,
            bounced=row.bounced,
            failed=row.failed,
            in_doubt=row.in_doubt,
            cancelled=row.cancelled,
            suppressed=row.suppressed,
        )


@strawberry.type(description="A template of a campaign, with its share of the contacts.")
class CampaignVariant:
    id: strawberry.ID = strawberry.field(description="The variant's id.")
    template_id: strawberry.ID = strawberry.field(description="The template that it sends.")
    template_version_id: strawberry.ID | None = strawberry.field(description="The version, frozen at launch.")
    weight: int = strawberry.field(description="Its share, relative to the other variants'.")


@strawberry.type(description="A contact in a campaign.")
class Enrollment:
    id: strawberry.ID = strawberry.field(description="The enrollment's id.")
    contact_id: strawberry.ID = strawberry.field(description="The contact.")
    email: str | None = strawberry.field(description="The contact's address; null once it is erased.")
    state: EnrollmentState = strawberry.field(description="Where the contact stands.")
    next_position: int = strawberry.field(description="The step that comes next, from 1.")
    due_at: datetime | None = strawberry.field(description="When the next step is due, while it waits.")
    created_at: datetime = strawberry.field(description="When the contact was enrolled.")

    @staticmethod
    def of(row: EnrollmentRow) -> "Enrollment":
        return Enrollment(
            id=global_id("Enrollment", row.id),
            contact_id=global_id("Contact", row.contact_id),
            email=row.email,
            state=EnrollmentState(row.state),
            next_position=row.next_position,
            due_at=row.due_at,
            created_at=row.created_at,
        )


@strawberry.type(description="A mail, in one or more variants, to the contacts of a list.")
class Campaign(Node):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace that the campaign belongs to.")
    name: str = strawberry.field(description="The name people see.")
    state: CampaignState = strawberry.field(description="Where the campaign stands.")
    list_id: strawberry.ID | None = strawberry.field(description="The contact list that it writes to.")
    mailbox_ids: list[strawberry.ID] = strawberry.field(
        description="The mailboxes that it sends through, in rotation.", metadata=bounded("at most 200 mailboxes")
    )
    variants: list[CampaignVariant] = strawberry.field(
        description="The templates that it sends.", metadata=bounded("at most 20 variants")
    )
    counts: CampaignCounts = strawberry.field(description="How many contacts stand where.")
    enrolling: bool = strawberry.field(description="Whether the list is still being enrolled.")
    sent_per_second: float = strawberry.field(description="Messages sent a second, over the last ten seconds.")
    launched_at: datetime | None = strawberry.field(description="When it was launched.")
    paused_at: datetime | None = strawberry.field(description="When it was paused, while it is.")
    completed_at: datetime | None = strawberry.field(description="When it was complete.")
    cancelled_at: datetime | None = strawberry.field(description="When it was cancelled.")
    archived_at: datetime | None = strawberry.field(description="When it was taken out of the lists.")
    version: int = strawberry.field(description="Counts the changes of the campaign itself.")
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")

    @staticmethod
    def of(view: CampaignView) -> "Campaign":
        row = view.campaign
        return Campaign(
            id=global_id("Campaign", row.id),
            workspace_id=global_id("Workspace", row.workspace_id),
            name=row.name,
            state=CampaignState(row.state),
            list_id=None if row.list_id is None else global_id("ContactList", row.list_id),
            mailbox_ids=[global_id("Mailbox", each) for each in view.mailbox_ids],
            variants=variants_of(view),
            counts=CampaignCounts.of(view.counts),
            enrolling=row.enrolling,
            sent_per_second=view.sent_per_second,
            launched_at=row.launched_at,
            paused_at=row.paused_at,
            completed_at=row.completed_at,
            cancelled_at=row.cancelled_at,
            archived_at=row.archived_at,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Campaign | None]":
        rows = await views.campaigns_by_ids(context.caller, ids)
        return [Campaign.of(row) if row else None for row in rows]


def variants_of(view: CampaignView) -> list[CampaignVariant]:
    return [
        CampaignVariant(
            id=global_id("CampaignVariant", each.id),
            template_id=global_id("Template", each.template_id),
            template_version_id=None
            if each.template_version_id is None
            else global_id("TemplateVersion", each.template_version_id),
            weight=each.weight,
        )
        for each in view.variants
    ]


# ---- inputs
@strawberry.input(description="A template with its share of the contacts.")
class CampaignVariantInput:
    template_id: strawberry.ID = strawberry.field(description="The template.")
    weight: int = strawberry.field(default=1, description="Its share, relative to the others': 1 to 1000.")


@strawberry.input(description="What createCampaign needs; all but the name can follow later.")
class CreateCampaignInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to create it in.")
    name: str = strawberry.field(description="A name, at most 120 characters.")
    list_id: strawberry.ID | None = strawberry.field(default=None, description="The contact list to write to.")
    mailbox_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="The mailboxes to send through."
    )
    variants: list[CampaignVariantInput] | None = strawberry.field(default=None, description="The templates to send.")


@strawberry.input(description="What updateCampaign changes; what is left out stays as it is.")
class UpdateCampaignInput(IdempotentInput):
    campaign_id: strawberry.ID = strawberry.field(description="The campaign to change.")
    name: str | None = strawberry.field(default=None, description="A new name, at any time.")
    list_id: strawberry.ID | None = strawberry.field(default=None, description="Another list, of a draft.")
    mailbox_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Other mailboxes, of a draft.")
    variants: list[CampaignVariantInput] | None = strawberry.field(
        default=None, description="Other templates, of a draft."
    )


@strawberry.input(description="What launchCampaign needs.")
class LaunchCampaignInput(IdempotentInput):
    campaign_id: strawberry.ID = strawberry.field(description="The draft to launch.")


@strawberry.input(description="What pauseCampaign needs.")
class PauseCampaignInput(IdempotentInput):
    campaign_id: strawberry.ID = strawberry.field(description="The campaign to pause.")


@strawberry.input(description="What resumeCampaign needs.")
class ResumeCampaignInput(IdempotentInput):
    campaign_id: strawberry.ID = strawberry.field(description="The campaign to resume.")


@strawberry.input(description="What cancelCampaign needs.")
class CancelCampaignInput(IdempotentInput):
    campaign_id: strawberry.ID = strawberry.field(description="The campaign to cancel for good.")


@strawberry.input(description="What archiveCampaign needs.")
class ArchiveCampaignInput(IdempotentInput):
    campaign_id: strawberry.ID = strawberry.field(description="The campaign to archive.")


# ---- payloads
@strawberry.type(description="The answer of createCampaign.")
class CreateCampaignPayload(Payload):
    campaign: Campaign | None = strawberry.field(default=None, description="The new draft.")


@strawberry.type(description="The answer of updateCampaign.")
class UpdateCampaignPayload(Payload):
    campaign: Campaign | None = strawberry.field(default=None, description="The changed campaign.")


@strawberry.type(description="The answer of launchCampaign.")
class LaunchCampaignPayload(Payload):
    campaign: Campaign | None = strawberry.field(default=None, description="The launched campaign.")


@strawberry.type(description="The answer of pauseCampaign.")
class PauseCampaignPayload(Payload):
    campaign: Campaign | None = strawberry.field(default=None, description="The paused campaign.")


@strawberry.type(description="The answer of resumeCampaign.")
class ResumeCampaignPayload(Payload):
    campaign: Campaign | None = strawberry.field(default=None, description="The campaign, running again.")


@strawberry.type(description="The answer of cancelCampaign.")
class CancelCampaignPayload(Payload):
    campaign: Campaign | None = strawberry.field(default=None, description="The cancelled campaign.")


@strawberry.type(description="The answer of archiveCampaign.")
class ArchiveCampaignPayload(Payload):
    campaign: Campaign | None = strawberry.field(default=None, description="The archived campaign.")


# ---- queries
@strawberry.type
class CampaignQueries:
    @query(uses=views.campaigns, description="The campaigns of a workspace, newest first.")
    async def campaigns(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="The workspace.")],
        archived: Annotated[bool, strawberry.argument(description="Whether to list archived ones too.")] = False,
        first: First = 25,
        after: After = None,
    ) -> Connection[Campaign]:
        page = window(first, after)
        place = local_id(workspace_id, "Workspace")
        rows = await views.campaigns(info.context.caller, place, archived=archived, first=page.first, after=page.after)
        return connection(rows, Campaign.of)

    @query(uses=views.campaign_view, description="One campaign, or null.")
    async def campaign(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The campaign's id.")]
    ) -> Campaign | None:
        return Campaign.of(await views.campaign_view(info.context.caller, local_id(id, "Campaign")))

    @query(uses=views.enrollments, description="Who is in a campaign, newest first.")
    async def enrollments(
        self,
        info: Info,
        campaign_id: Annotated[strawberry.ID, strawberry.argument(description="The campaign.")],
        first: First = 25,
        after: After = None,
    ) -> Connection[Enrollment]:
        page = window(first, after)
        campaign = local_id(campaign_id, "Campaign")
        rows = await views.enrollments(info.context.caller, campaign, first=page.first, after=page.after)
        return connection(rows, Enrollment.of)


# ---- mutations
@strawberry.type
class CampaignMutations:
    @mutation(uses=use.create_campaign, description="Begins a campaign as a draft.")
    async def create_campaign(
        self, info: Info, input: Annotated[CreateCampaignInput, strawberry.argument(description="The draft.")]
    ) -> CreateCampaignPayload:
        draft = draft_of(input)
        row = await use.create_campaign(info.context.caller, local_id(input.workspace_id, "Workspace"), draft)
        return CreateCampaignPayload(campaign=await shown(info, row))

    @mutation(uses=use.update_campaign, description="Changes a campaign: the name at any time, the rest of a draft.")
    async def update_campaign(
        self, info: Info, input: Annotated[UpdateCampaignInput, strawberry.argument(description="What to change.")]
    ) -> UpdateCampaignPayload:
        draft = draft_of(input)
        row = await use.update_campaign(info.context.caller, local_id(input.campaign_id, "Campaign"), draft)
        return UpdateCampaignPayload(campaign=await shown(info, row))

    @mutation(uses=launch_campaign, description="Starts sending; userErrors names all that is missing at once.")
    async def launch_campaign(
        self, info: Info, input: Annotated[LaunchCampaignInput, strawberry.argument(description="What to launch.")]
    ) -> LaunchCampaignPayload:
        row = await launch_campaign(info.context.caller, local_id(input.campaign_id, "Campaign"))
        return LaunchCampaignPayload(campaign=await shown(info, row))

    @mutation(uses=use.pause_campaign, description="Stops a campaign at once; mails in hand stop too.")
    async def pause_campaign(
        self, info: Info, input: Annotated[PauseCampaignInput, strawberry.argument(description="What to pause.")]
    ) -> PauseCampaignPayload:
        row = await use.pause_campaign(info.context.caller, local_id(input.campaign_id, "Campaign"))
        return PauseCampaignPayload(campaign=await shown(info, row))

    @mutation(uses=use.resume_campaign, description="Lets a paused campaign send again; nobody gets a mail twice.")
    async def resume_campaign(
        self, info: Info, input: Annotated[ResumeCampaignInput, strawberry.argument(description="What to resume.")]
    ) -> ResumeCampaignPayload:
        row = await use.resume_campaign(info.context.caller, local_id(input.campaign_id, "Campaign"))
        return ResumeCampaignPayload(campaign=await shown(info, row))

    @mutation(uses=use.cancel_campaign, description="Ends a campaign for good; what has not left is cancelled.")
    async def cancel_campaign(
        self, info: Info, input: Annotated[CancelCampaignInput, strawberry.argument(description="What to cancel.")]
    ) -> CancelCampaignPayload:
        row = await use.cancel_campaign(info.context.caller, local_id(input.campaign_id, "Campaign"))
        return CancelCampaignPayload(campaign=await shown(info, row))

    @mutation(uses=use.archive_campaign, description="Takes a campaign that has ended out of the lists.")
    async def archive_campaign(
        self, info: Info, input: Annotated[ArchiveCampaignInput, strawberry.argument(description="What to archive.")]
    ) -> ArchiveCampaignPayload:
        row = await use.archive_campaign(info.context.caller, local_id(input.campaign_id, "Campaign"))
        return ArchiveCampaignPayload(campaign=await shown(info, row))


async def shown(info: Info, row: CampaignRow) -> Campaign:
    """The campaign after a change, with its counts and parts."""
    return Campaign.of(await views.campaign_view(info.context.caller, row.id))


def draft_of(input: CreateCampaignInput | UpdateCampaignInput) -> CampaignDraft:
    variants = input.variants
    return CampaignDraft(
        name=input.name,
        list_id=None if input.list_id is None else local_id(input.list_id, "ContactList"),
        mailbox_ids=None if input.mailbox_ids is None else [local_id(each, "Mailbox") for each in input.mailbox_ids],
        variants=None
        if variants is None
        else [VariantChoice(local_id(each.template_id, "Template"), each.weight) for each in variants],
    )
