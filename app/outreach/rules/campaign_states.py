"""The states of a campaign, what may be done in each, and what must be there before the first mail leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import DomainError, Problems, Required, WrongState


class CampaignState(StrEnum):
    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class CampaignVerb(StrEnum):
    """What people do to a campaign."""

    EDIT = "edit"
    LAUNCH = "launch"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    ARCHIVE = "archive"


_FROM: dict[CampaignVerb, frozenset[CampaignState]] = {
    CampaignVerb.EDIT: frozenset({CampaignState.DRAFT}),
    CampaignVerb.LAUNCH: frozenset({CampaignState.DRAFT}),
    CampaignVerb.PAUSE: frozenset({CampaignState.RUNNING}),
    CampaignVerb.RESUME: frozenset({CampaignState.PAUSED}),
    CampaignVerb.CANCEL: frozenset({CampaignState.DRAFT, CampaignState.RUNNING, CampaignState.PAUSED}),
    CampaignVerb.ARCHIVE: frozenset({CampaignState.DRAFT, CampaignState.COMPLETED, CampaignState.CANCELLED}),
}
_PAST = {
    CampaignVerb.EDIT: "changed",
    CampaignVerb.LAUNCH: "launched",
    CampaignVerb.PAUSE: "paused",
    CampaignVerb.RESUME: "resumed",
    CampaignVerb.CANCEL: "cancelled",
    CampaignVerb.ARCHIVE: "archived",
}


def check_verb(state: CampaignState, verb: CampaignVerb) -> None:
    """Raises WrongState, with the states from which it would be possible."""
    allowed = _FROM[verb]
    if state not in allowed:
        wanted = " or ".join(each for each in CampaignState if each in allowed)
        raise WrongState(f"A campaign that is {state} cannot be {_PAST[verb]}: it must be {wanted}.", _AT)


class LaunchRefused(Required):
    """Something that every campaign needs is not there."""


@dataclass(frozen=True, slots=True)
class LackingField:
    """A merge field that no contact of the list has, and the name of the template that cannot do without it."""

    field: str
    template: str


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """What is there at the moment of launch."""

    postal_address: str
    list_exists: bool
    list_members: bool
    variants: int
    usable_variants: int
    mailboxes: int
    verified_mailboxes: int
    sending_mailboxes: int
    lacking: Sequence[LackingField] = ()


_AT = ("input", "campaignId")


def check_launch(facts: LaunchFacts) -> None:
    """Raises Problems with every reason at once, so that one look shows all that is missing."""
    reasons: list[str] = []
    if not facts.postal_address.strip():
        reasons.append("Give your postal address in the tenant settings: the law wants it in every campaign mail.")
    if not facts.list_exists:
        reasons.append("Choose the contact list that the campaign writes to.")
    elif not facts.list_members:
        reasons.append("The contact list is empty: add contacts to it.")
    if facts.variants == 0:
        reasons.append("Choose at least one template.")
    elif facts.usable_variants < facts.variants:
        reasons.append("A chosen template has been deleted: choose another one.")
    reasons.extend(_lacking_reason(each) for each in facts.lacking)
    reasons.extend(_mailbox_reasons(facts))
    if reasons:
        problems: list[DomainError] = [LaunchRefused(reason, _AT) for reason in reasons]
        raise Problems(problems)


def _lacking_reason(lacking: LackingField) -> str:
    return (
        f"No contact of the list has the field {lacking.field}, which the template “{lacking.template}” prints without "
        f'a fall-back: import the field, or write {{{{ {lacking.field} | default: "…" }}}} in the template.'
    )


def _mailbox_reasons(facts: LaunchFacts) -> list[str]:
    if facts.mailboxes == 0:
        return ["Choose at least one mailbox that sends."]
    if facts.verified_mailboxes == 0:
        return ["None of the campaign's mailboxes is verified: test them, and read each one's verdict."]
    if facts.sending_mailboxes == 0:
        return ["Every verified mailbox of the campaign is paused: resume one."]
    return []
