"""What identity needs from outside: a way to send its own mail."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain text mail from the platform to one person."""

    to: str
    subject: str
    text: str


class SystemMail(Protocol):
    """Sends the platform's own mail, not campaigns. Network: only jobs call it, between transactions."""

    async def send(self, mail: Mail) -> None:
        """Returns when a server took it. Raises SystemMailUnavailable with a sentence for operators."""
        ...


class SystemMailUnavailable(RuntimeError):
    """It is not configured, or its server did not take the mail; the job is tried again."""
