"""Who may change whose role, and when the tenant would be left without an owner."""

from app.core.errors import DomainError, ErrorCode
from app.core.permissions import TenantRole


class LastOwner(DomainError):
    """A tenant keeps at least one owner."""

    code = ErrorCode.LAST_OWNER


class NotAllowed(DomainError):
    """The person's own role does not reach that far."""

    code = ErrorCode.NOT_ALLOWED


def check_grant(acting: TenantRole | None, granted: TenantRole, path: tuple[str, ...]) -> None:
    """Only an owner makes owners. Raises NotAllowed."""
    if granted is TenantRole.OWNER and acting is not TenantRole.OWNER:
        raise NotAllowed("Only an owner can make someone an owner.", path)


def check_member_change(
    *, acting: TenantRole | None, present: TenantRole, wanted: TenantRole | None, owners: int
) -> None:
    """`acting` is the role of who asks, read in the same transaction; `wanted` None means removal.

    Raises NotAllowed when an owner is touched by someone who is none, LastOwner when no owner would be left.
    """
    if present is TenantRole.OWNER and acting is not TenantRole.OWNER:
        raise NotAllowed("Only an owner can change or remove an owner.", ("input", "memberId"))
    if wanted is not None:
        check_grant(acting, wanted, ("input", "role"))
    if present is TenantRole.OWNER and wanted is not TenantRole.OWNER and owners <= 1:
        raise LastOwner("A tenant keeps at least one owner: make someone else an owner first.", ("input", "memberId"))
