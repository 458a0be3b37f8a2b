"""Makes the mails of one run: templates parsed once, the DKIM key read once, links and return paths per message."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.core.caller import Caller
from app.core.resources import Resources
from app.core.secrets import derived_key
from app.core.settings import parse_master_keys
from app.outreach.rules.contact_fields import merge_fields
from app.outreach.rules.dkim_signature import SigningKey, sign, signing_key
from app.outreach.rules.message_identity import message_id_for, return_path_for
from app.outreach.rules.sent_values import FinishedMail, SentValues, finish
from app.outreach.rules.template_rendering import CompiledTemplate, compile_template
from app.outreach.rules.unsubscribe_tokens import UnsubscribeToken, UnsubscribeTokens
from app.outreach.templates import template_source
from db.queries.outreach import dkim_keys
from db.queries.outreach.ledger import ClaimedMessage
from db.queries.outreach.mailbox_runs import RunStart


@dataclass(frozen=True, slots=True)
class MadeMail:
    """`raw` is what goes over the wire, signed where the domain has a key of ours."""

    values: SentValues
    finished: FinishedMail
    return_path: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class MailMaker:
    """For one mailbox's run."""

    caller: Caller
    mailbox: RunStart
    tokens: UnsubscribeTokens
    return_path_key: bytes
    dkim: SigningKey | None
    templates: dict[UUID, CompiledTemplate] = field(default_factory=dict)

    async def prepare(self, message: ClaimedMessage) -> None:
        """Reads the message's template version into the maker, once per run. Never inside a transaction."""
        version_id = message.template_version_id
        if version_id not in self.templates:
            source = await template_source(self.caller, message.template_id, version_id)
            self.templates[version_id] = compile_template(source)

    def make(self, message: ClaimedMessage, at: datetime) -> MadeMail:
        """The mail of a prepared message whose contact exists. Raises the DomainErrors of rendering and composing."""
        values = self._values(message, at)
        finished = finish(self.templates[message.template_version_id], values)
        raw = finished.raw if self.dkim is None else sign(finished.raw, key=self.dkim, signed_at=values.date)
        return_path = return_path_for(
            mailbox_address=self.mailbox.address,
            tenant_id=self.caller.tenant_id,
            message_id=message.id,
            key=self.return_path_key,
        )
        return MadeMail(values, finished, return_path, raw)

    def _values(self, message: ClaimedMessage, at: datetime) -> SentValues:
        tenant_id = self.caller.tenant_id
        token = self.tokens.make(UnsubscribeToken(tenant_id, message.contact_id, message.id))
        return SentValues(
            fields=merge_fields(
                email=message.email or message.to_address,
                first_name=message.first_name or "",
                last_name=message.last_name or "",
                company=message.company or "",
                fields=message.fields or {},
            ),
            postal_address=message.postal_address,
            unsubscribe_url=f"{self.caller.resources.settings.public_url.rstrip('/')}/u/{token}",
            from_address=self.mailbox.address,
            from_name=self.mailbox.display_name,
            to_address=message.to_address,
            message_id=message_id_for(tenant_id=tenant_id, message_id=message.id, domain=self.mailbox.domain),
            date=at.replace(microsecond=0),
        )


async def mail_maker(caller: Caller, mailbox: RunStart) -> MailMaker:
    """Reads the domain's active DKIM key, in a transaction of its own. Raises SecretUnreadable."""
    async with caller.transaction(read_only=True):
        active = await dkim_keys.active_key(mailbox.domain)
    key = None
    if active is not None:
        pem = caller.resources.cipher.open(
            active.private_key, tenant_id=caller.tenant_id, table="dkim_keys", column="private_key", row_id=active.id
        )
        key = signing_key(pem, domain=mailbox.domain, selector=active.selector)
    return MailMaker(caller, mailbox, unsubscribe_tokens(caller.resources), return_path_key(caller.resources), key)


def unsubscribe_tokens(resources: Resources) -> UnsubscribeTokens:
    """Makes and reads tokens with the deployment's keys."""
    keys = parse_master_keys(resources.settings.master_keys.get_secret_value())
    return UnsubscribeTokens({version: derived_key(key, "unsubscribe") for version, key in keys.items()})


def return_path_key(resources: Resources) -> bytes:
    """The key of VERP return paths: of the newest master key."""
    keys = parse_master_keys(resources.settings.master_keys.get_secret_value())
    return derived_key(keys[max(keys)], "return_path")
