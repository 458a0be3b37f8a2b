"""How the sandbox's receivers and mailboxes behave: the ending of a local part or of a user name chooses."""

from dataclasses import dataclass
from enum import StrEnum


class Receiver(StrEnum):
    """What the receiving provider does, chosen by the recipient's local part: bob+greylist@lead.example."""

    ACCEPT = "accept"
    GREYLIST = "greylist"
    TEMPFAIL = "tempfail"
    UNKNOWN_USER = "unknown-user"
    AUTH_FAIL = "auth-fail"
    THROTTLE = "throttle"
    DROP_AFTER_DATA = "drop-after-data"
    SLOW = "slow"
    DSN = "dsn"
    COMPLAINT = "complaint"
    REPLY = "reply"
    OUT_OF_OFFICE = "out-of-office"


class Mailbox(StrEnum):
    """What the mailbox's own server does, chosen by the user name that signs in: alice+stall@acme.example."""

    NORMAL = "normal"
    REFUSE_AUTH = "refuse-auth"
    TEMPFAIL_AUTH = "tempfail-auth"
    REFUSE_SENDER = "refuse-sender"
    STALL = "stall"
    DROP_BEFORE_DATA = "drop-before-data"
    DROP_BEFORE_DOT = "drop-before-dot"
    DROP_AFTER_DOT = "drop-after-dot"


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply line without its line end; `closes` ends the connection after it."""

    text: str
    closes: bool = False


GREYLISTED = Answer("451 4.7.1 Greylisted: please try again in {seconds:.0f} seconds")
AT_RECIPIENT = {
    Receiver.TEMPFAIL: Answer("450 4.2.0 The mailbox is busy, please try again later"),
    Receiver.UNKNOWN_USER: Answer("550 5.1.1 The address does not exist: user unknown"),
}
AT_END = {
    Receiver.AUTH_FAIL: Answer("550 5.7.26 This mail is unauthenticated: the sender must pass SPF or DKIM"),
    Receiver.THROTTLE: Answer("421 4.7.28 Unusual rate of unsolicited mail from your address, slow down", closes=True),
}
SLOW_SECONDS = 3.0
GREYLIST_SECONDS = 1.0


def receiver_of(address: str) -> Receiver:
    """The behaviour that an address asks for; every other address accepts."""
    ending = address.rpartition("@")[0].lower().rpartition("+")[2]
    return next((each for each in Receiver if each.value == ending and "+" in address), Receiver.ACCEPT)


def mailbox_of(user: str) -> Mailbox:
    """The behaviour that a user name asks for; every other mailbox is normal."""
    ending = user.partition("@")[0].lower().rpartition("+")[2]
    return next((each for each in Mailbox if each.value == ending and "+" in user), Mailbox.NORMAL)
