"""Workspaces in the public schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.identity import workspaces as use
from app.identity.workspaces import Workspace as WorkspaceRow
from graph.context import Context, Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.ids import global_id, local_id
from graph.core.mutation import IdempotentInput, Payload, mutation
from graph.core.node import Node
from graph.core.query import query


# ---- types
@strawberry.type(description="A client or brand of the tenant: its contacts, templates, mailboxes and campaigns.")
class Workspace(Node):
    name: str = strawberry.field(description="The name people see.")
    slug: str = strawberry.field(description="A short name for addresses of pages, unique in the tenant.")
    version: int = strawberry.field(description="Rises with every change.")
    archived_at: datetime | None = strawberry.field(description="When it was archived; null while it is in use.")
    created_at: datetime = strawberry.field(description="When it was created.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")

    @staticmethod
    def of(row: WorkspaceRow) -> "Workspace":
        return Workspace(
            id=global_id("Workspace", row.id),
            name=row.name,
            slug=row.slug,
            version=row.version,
            archived_at=row.archived_at,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @staticmethod
    async def load_nodes(context: Context, ids: Sequence[UUID]) -> "list[Workspace | None]":
        rows = await use.workspaces_by_ids(context.caller, ids)
        return [Workspace.of(row) if row else None for row in rows]


# ---- inputs
@strawberry.input(description="What createWorkspace needs.")
class CreateWorkspaceInput(IdempotentInput):
    name: str = strawberry.field(description="The name people see, up to 120 characters.")
    slug: str | None = strawberry.field(
        default=None, description="Lower-case letters, digits and hyphens; made from the name when left out."
    )


@strawberry.input(description="What updateWorkspace changes; fields that are left out or null stay as they are.")
class UpdateWorkspaceInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to change.")
    name: str | None = strawberry.field(default=None, description="The new name.")
    slug: str | None = strawberry.field(default=None, description="The new slug.")


@strawberry.input(description="What archiveWorkspace needs.")
class ArchiveWorkspaceInput(IdempotentInput):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace to archive.")


# ---- payloads
@strawberry.type(description="The answer of createWorkspace.")
class CreateWorkspacePayload(Payload):
    workspace: Workspace | None = strawberry.field(default=None, description="The new workspace.")


@strawberry.type(description="The answer of updateWorkspace.")
class UpdateWorkspacePayload(Payload):
    workspace: Workspace | None = strawberry.field(default=None, description="The changed workspace.")


@strawberry.type(description="The answer of archiveWorkspace.")
class ArchiveWorkspacePayload(Payload):
    workspace: Workspace | None = strawberry.field(default=None, description="The archived workspace.")


# ---- queries
@strawberry.type
class WorkspaceQueries:
    @query(uses=use.workspace, description="One workspace, or null.")
    async def workspace(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The workspace's id.")]
    ) -> Workspace | None:
        return Workspace.of(await use.workspace(info.context.caller, local_id(id, "Workspace")))

    @query(uses=use.workspaces, description="The workspaces that you see, newest first.")
    async def workspaces(
        self,
        info: Info,
        first: First = 25,
        after: After = None,
        include_archived: Annotated[
            bool, strawberry.argument(description="Whether to list archived ones too.")
        ] = False,
    ) -> Connection[Workspace]:
        page = window(first, after)
        rows = await use.workspaces(info.context.caller, first=page.first, after=page.after, archived=include_archived)
        return connection(rows, Workspace.of)


# ---- mutations
@strawberry.type
class WorkspaceMutations:
    @mutation(uses=use.create_workspace, description="Makes a workspace.")
    async def create_workspace(
        self, info: Info, input: Annotated[CreateWorkspaceInput, strawberry.argument(description="What to make.")]
    ) -> CreateWorkspacePayload:
        row = await use.create_workspace(info.context.caller, input.name, slug=input.slug)
        return CreateWorkspacePayload(workspace=Workspace.of(row))

    @mutation(uses=use.update_workspace, description="Changes a workspace's name or slug.")
    async def update_workspace(
        self, info: Info, input: Annotated[UpdateWorkspaceInput, strawberry.argument(description="What to change.")]
    ) -> UpdateWorkspacePayload:
        workspace_id = local_id(input.workspace_id, "Workspace")
        row = await use.update_workspace(info.context.caller, workspace_id, name=input.name, slug=input.slug)
        return UpdateWorkspacePayload(workspace=Workspace.of(row))

    @mutation(
        uses=use.archive_workspace, description="Takes a workspace out of the lists; what is in it stays readable."
    )
    async def archive_workspace(
        self, info: Info, input: Annotated[ArchiveWorkspaceInput, strawberry.argument(description="What to archive.")]
    ) -> ArchiveWorkspacePayload:
        row = await use.archive_workspace(info.context.caller, local_id(input.workspace_id, "Workspace"))
        return ArchiveWorkspacePayload(workspace=Workspace.of(row))
