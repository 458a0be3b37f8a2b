"""The public schema: every noun's classes, on one page. Adding a noun is one import and one entry per list."""

from graph.core.build import build_schema, root
from graph.core.node import NodeQueries
from graph.identity.accounts import AccountMutations
from graph.identity.invitations import InvitationMutations, InvitationQueries
from graph.identity.members import MemberMutations, MemberQueries
from graph.identity.sessions import SessionMutations, SessionQueries
from graph.identity.tenant_settings import TenantSettingsMutations, TenantSettingsQueries
from graph.identity.viewers import ViewerQueries
from graph.identity.workspaces import WorkspaceMutations, WorkspaceQueries

QUERIES: list[type] = [
    NodeQueries,
    ViewerQueries,
    SessionQueries,
    TenantSettingsQueries,
    WorkspaceQueries,
    MemberQueries,
    InvitationQueries,
]
MUTATIONS: list[type] = [
    AccountMutations,
    SessionMutations,
    TenantSettingsMutations,
    WorkspaceMutations,
    MemberMutations,
    InvitationMutations,
]
SUBSCRIPTIONS: list[type] = []

schema = build_schema(
    query=root("Query", "Everything that can be read.", QUERIES),
    mutation=root("Mutation", "Everything that can be changed.", MUTATIONS) if MUTATIONS else None,
    subscription=root("Subscription", "Everything that can be watched live.", SUBSCRIPTIONS) if SUBSCRIPTIONS else None,
)
