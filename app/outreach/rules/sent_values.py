"""What a mail was made of besides its template version: kept with the message, so that it can be made again and compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from app.outreach.rules.mail_composition import OutgoingMail, compose
from app.outreach.rules.template_rendering import CompiledTemplate, MailFooter, RenderedMail
from app.outreach.rules.unsubscribe_headers import Unsubscribe


@dataclass(frozen=True, slots=True)
class SentValues:
    """`fields` are the contact's at that moment; `date` is the mail's own, in whole seconds."""

    fields: Mapping[str, Any]
    postal_address: str
    unsubscribe_url: str
    from_address: str
    from_name: str
    to_address: str
    message_id: str
    date: datetime

    def to_json(self) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return values | {"fields": dict(self.fields), "date": self.date.isoformat()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SentValues":
        return cls(**{**values, "date": datetime.fromisoformat(values["date"])})


@dataclass(frozen=True, slots=True)
class FinishedMail:
    """`raw` is unsigned; `content_sha256` is of it, since a DKIM key may be gone when it is compared."""

    rendered: RenderedMail
    raw: bytes

    @property
    def content_sha256(self) -> bytes:
        return sha256(self.raw).digest()


def finish(template: CompiledTemplate, values: SentValues) -> FinishedMail:
    """The mail's bytes: the same for the same template version and values, for good.

    Raises the DomainErrors of rendering and composing: a missing field, an unsafe header, a text that cannot be sent.
    """
    fields = {**values.fields, "sender_name": values.from_name, "sender_email": values.from_address}
    footer = MailFooter(postal_address=values.postal_address, unsubscribe_url=values.unsubscribe_url)
    rendered = template.render(fields, footer=footer)
    mail = OutgoingMail(
        message_id=values.message_id,
        date=values.date,
        from_address=values.from_address,
        from_name=values.from_name,
        to_address=values.to_address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        unsubscribe=Unsubscribe(url=values.unsubscribe_url),
    )
    return FinishedMail(rendered, compose(mail))
