"""How long sign-ins live."""

from datetime import datetime, timedelta

ACCESS_TOKEN_LIFE = timedelta(minutes=15)
UNUSED_SESSION_LIFE = timedelta(days=30)
WHOLE_SESSION_LIFE = timedelta(days=180)
VERIFICATION_LIFE = timedelta(days=2)
RESET_LIFE = timedelta(hours=1)
INVITATION_LIFE = timedelta(days=7)


def session_end(created_at: datetime, used_at: datetime) -> datetime:
    """30 days after its last use, and 180 days after signing in at the latest."""
    return min(used_at + UNUSED_SESSION_LIFE, created_at + WHOLE_SESSION_LIFE)
