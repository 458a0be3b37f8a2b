"""The public schema: every noun's classes, on one page. Adding a noun is one import and one entry per list."""

from graph.analytics.sending_reports import SendingReportQueries
from graph.core.build import build_schema, root
from graph.core.node import NodeQueries
from graph.identity.accounts import AccountMutations
from graph.identity.invitations import InvitationMutations, InvitationQueries
from graph.identity.members import MemberMutations, MemberQueries
from graph.identity.sessions import SessionMutations, SessionQueries
from graph.identity.tenant_settings import TenantSettingsMutations, TenantSettingsQueries
from graph.identity.totp import TotpMutations
from graph.identity.viewers import ViewerQueries
from graph.identity.workspaces import WorkspaceMutations, WorkspaceQueries
from graph.jobs.jobs import JobMutations, JobQueries
from graph.live.tenant_events import TenantEventSubscriptions
from graph.outreach.campaign_live import CampaignSubscriptions
from graph.outreach.campaigns import CampaignMutations, CampaignQueries
from graph.outreach.contact_imports import ContactImportMutations, ContactImportQueries, ContactImportSubscriptions
from graph.outreach.contact_lists import ContactListMutations, ContactListQueries
from graph.outreach.contacts import ContactMutations, ContactQueries
from graph.outreach.dkim_keys import DkimKeyMutations, DkimKeyQueries
from graph.outreach.mailboxes import MailboxMutations, MailboxQueries, MailboxSubscriptions
from graph.outreach.messages import MessageMutations, MessageQueries
from graph.outreach.sandbox_messages import SandboxMessageQueries
from graph.outreach.suppressions import SuppressionMutations, SuppressionQueries
from graph.outreach.templates import TemplateMutations, TemplateQueries
from graph.outreach.uploads import UploadMutations

QUERIES: list[type] = [
    NodeQueries,
    ViewerQueries,
    SessionQueries,
    TenantSettingsQueries,
    WorkspaceQueries,
    MemberQueries,
    InvitationQueries,
    ContactQueries,
    ContactListQueries,
    ContactImportQueries,
    TemplateQueries,
    MailboxQueries,
    DkimKeyQueries,
    CampaignQueries,
    MessageQueries,
    SuppressionQueries,
    SendingReportQueries,
    SandboxMessageQueries,
    JobQueries,
]
MUTATIONS: list[type] = [
    AccountMutations,
    SessionMutations,
    TotpMutations,
    TenantSettingsMutations,
    WorkspaceMutations,
    MemberMutations,
    InvitationMutations,
    UploadMutations,
    ContactMutations,
    ContactListMutations,
    ContactImportMutations,
    TemplateMutations,
    MailboxMutations,
    DkimKeyMutations,
    CampaignMutations,
    MessageMutations,
    SuppressionMutations,
    JobMutations,
]
SUBSCRIPTIONS: list[type] = [
    ContactImportSubscriptions,
    MailboxSubscriptions,
    CampaignSubscriptions,
    TenantEventSubscriptions,
]

schema = build_schema(
    query=root("Query", "Everything that can be read.", QUERIES),
    mutation=root("Mutation", "Everything that can be changed.", MUTATIONS) if MUTATIONS else None,
    subscription=root("Subscription", "Everything that can be watched live.", SUBSCRIPTIONS) if SUBSCRIPTIONS else None,
)
