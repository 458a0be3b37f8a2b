"""Who reaches what in outreach: a workspace that the caller does not see is the same as one that does not exist."""

from typing import Protocol, TypeVar
from uuid import UUID

from app.core.caller import Caller
from app.core.errors import NotFound
from app.core.permissions import Permission
from db.queries.identity.workspaces import workspace_by_id


class OfWorkspace(Protocol):
    """Any row that belongs to a workspace."""

    @property
    def workspace_id(self) -> UUID: ...


Row = TypeVar("Row", bound=OfWorkspace)


def reach(caller: Caller, row: Row | None, permission: Permission, *, noun: str, field: str = "id") -> Row:
    """The row, when the caller sees its workspace and has the permission there. Raises NotFound, Forbidden."""
    if row is None or not caller.sees(row.workspace_id):
        raise NotFound(noun, ("input", field))
    caller.must(permission, row.workspace_id)
    return row


async def open_workspace(caller: Caller, workspace_id: UUID, permission: Permission) -> None:
    """That something may be made in the workspace; in a transaction. Raises NotFound (archived ones too), Forbidden."""
    if not caller.sees(workspace_id):
        raise NotFound("workspace", ("input", "workspaceId"))
    caller.must(permission, workspace_id)
    workspace = await workspace_by_id(workspace_id)
    if workspace is None or workspace.archived_at is not None:
        raise NotFound("workspace", ("input", "workspaceId"))
