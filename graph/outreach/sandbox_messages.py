"""What the sandbox received, in the public schema."""

from datetime import datetime

import strawberry

from app.core.errors import BadInput
from app.outreach import sandbox_messages as use
from app.outreach.sandbox_messages import SandboxMail
from graph.context import Info
from graph.core.connections import After, Connection, First, connection, window
from graph.core.query import query


# ---- types
@strawberry.type(description="A mail as the sandbox received it: no person ever gets it.")
class SandboxMessage:
    position: int = strawberry.field(description="Its place among all that the sandbox saw.")
    received_at: datetime = strawberry.field(description="When it was received.")
    disposition: str = strawberry.field(description="ACCEPTED, TAKEN_SILENTLY, DEFERRED, REFUSED or DROPPED.")
    behaviour: str = strawberry.field(description="The behaviour that the recipient's address asked for.")
    reply: str = strawberry.field(description="What the sandbox answered.")
    sender: str = strawberry.field(description="The envelope's sender: the return path.")
    recipients: list[str] = strawberry.field(description="The envelope's recipients.")
    message_id: str | None = strawberry.field(description="The Message-ID.")
    subject: str | None = strawberry.field(description="The subject.")
    tls: str | None = strawberry.field(description="The TLS version of the connection.")
    size_bytes: int = strawberry.field(description="The size of the mail.")
    source: str = strawberry.field(description="The mail as it was transmitted, header and body.")

    @staticmethod
    def of(mail: SandboxMail) -> "SandboxMessage":
        return SandboxMessage(
            position=mail.position,
            received_at=mail.received_at,
            disposition=mail.disposition,
            behaviour=mail.behaviour,
            reply=mail.reply,
            sender=mail.sender,
            recipients=list(mail.recipients),
            message_id=mail.message_id,
            subject=mail.subject,
            tls=mail.tls,
            size_bytes=mail.size_bytes,
            source=mail.source,
        )


# ---- queries
@strawberry.type
class SandboxMessageQueries:
    @query(uses=use.sandbox_messages, description="What the sandbox received from this tenant, oldest first.")
    async def sandbox_messages(self, info: Info, first: First = 25, after: After = None) -> Connection[SandboxMessage]:
        page = window(first, after)
        rows = await use.sandbox_messages(info.context.caller, first=page.first, after=position_of(page.text))
        return connection(rows, SandboxMessage.of, cursor=lambda mail: str(mail.position))


def position_of(key: str | None) -> int:
    """The position that a cursor names. Raises BadInput for a cursor of another list."""
    if key is None:
        return 0
    if not key.isdecimal() or len(key) > 15:
        raise BadInput("The cursor is not one of this list.")
    return int(key)
