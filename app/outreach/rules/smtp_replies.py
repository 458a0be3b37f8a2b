"""What an SMTP reply means for the message and for its sender: one table, read from the top, first match wins.

Sources: RFC 5321 section 4.2, RFC 3463 and its registry (enhanced codes), and the published texts of Gmail
(support.google.com/a/answer/3726730), Microsoft (learn.microsoft.com: "Non-delivery reports in Exchange Online",
postmaster pages of Outlook.com) and Yahoo (senders.yahooinc.com/smtp-error-codes).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?=\s|$|[^\d.])")
_SECONDS_PER_DAY = 86_400
GIVE_UP_SECONDS = 4 * _SECONDS_PER_DAY
LONGEST_DELAY_SECONDS = 8 * 3_600


class Phase(StrEnum):
    """Where in the conversation something happened; AFTER_DATA is the answer to the final dot."""

    CONNECT = "CONNECT"
    TLS = "TLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    AFTER_DATA = "AFTER_DATA"


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A server's answer: the code and the words of all its lines, joined by line feeds, without the codes."""

    code: int
    text: str

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code at the start of the text, such as "5.1.1" (RFC 3463)."""
        match = _ENHANCED.match(self.text)
        return match[1] if match is not None else None

    def __str__(self) -> str:
        """One line for a ledger: a repeated enhanced code is written once."""
        enhanced = self.enhanced
        lines = [line.strip() for line in self.text.splitlines()]
        if enhanced is not None:
            lines = [lines[0], *(line.removeprefix(enhanced).strip() for line in lines[1:])]
        return " ".join(part for part in (str(self.code), *lines) if part)


class MessageFate(StrEnum):
    """What becomes of the message. DEFERRED goes back to its queue; FAILED is final, and the address is not at fault."""

    DELIVERED = "DELIVERED"
    DEFERRED = "DEFERRED"
    BOUNCED = "BOUNCED"
    FAILED = "FAILED"


class Reaction(StrEnum):
    """What the sender does beyond this message."""

    NONE = "NONE"
    SLOW_PROVIDER = "SLOW_PROVIDER"
    PAUSE_MAILBOX = "PAUSE_MAILBOX"
    PAUSE_DOMAIN = "PAUSE_DOMAIN"


@dataclass(frozen=True, slots=True)
class ReplyVerdict:
    """The decision and a sentence that says why, for the person who reads the message's story."""

    fate: MessageFate
    reaction: Reaction
    reason: str

    @property
    def suppress(self) -> bool:
        """Whether the address must never be written to again: only when it is bad."""
        return self.fate is MessageFate.BOUNCED


@dataclass(frozen=True, slots=True)
class _Rule:
    """Matches when every given part does; `fate` None means FAILED on 5xx and DEFERRED on 4xx."""

    reason: str
    reaction: Reaction = Reaction.NONE
    fate: MessageFate | None = None
    phases: frozenset[Phase] = frozenset()
    classes: str = "45"
    enhanced: str = ""
    text: str = ""
    codes: frozenset[int] = frozenset()

    def matches(self, reply: SmtpReply, phase: Phase) -> bool:
        if self.phases and phase not in self.phases:
            return False
        if str(reply.code)[0] not in self.classes or (self.codes and reply.code not in self.codes):
            return False
        if not self.enhanced and not self.text:
            return True
        if self.enhanced and re.fullmatch(self.enhanced, reply.enhanced or "") is not None:
            return True
        return bool(self.text) and re.search(self.text, reply.text, re.IGNORECASE) is not None


_OPENING = frozenset({Phase.CONNECT, Phase.TLS})
_RECIPIENT = frozenset({Phase.RCPT, Phase.AFTER_DATA})

_RULES = (
    # The mailbox's own server, before any message.
    _Rule("The mail server is busy or closing.", phases=_OPENING, classes="4", fate=MessageFate.DEFERRED),
    _Rule(
        "The mail server refuses our connection.",
        Reaction.PAUSE_MAILBOX,
        MessageFate.DEFERRED,
        phases=_OPENING,
        classes="5",
    ),
    _Rule(
        "The mail server cannot check the password now.",
        fate=MessageFate.DEFERRED,
        phases=frozenset({Phase.AUTH}),
        classes="4",
    ),
    _Rule(
        "The mail server refuses the mailbox's user name or password.",
        Reaction.PAUSE_MAILBOX,
        MessageFate.DEFERRED,
        phases=frozenset({Phase.AUTH}),
        classes="5",
    ),
    # The sender's domain: authentication and alignment.
    _Rule(
        "The receiver does not find the sending domain authenticated: check SPF, DKIM, DMARC and their alignment.",
        Reaction.PAUSE_DOMAIN,
        enhanced=r"[45]\.7\.(26|27|30|32|515|509|23|24)|5\.7\.9",
        text=r"does not pass DMARC|DMARC (policy|check|evaluation|verification)|unauthenticated (email|mail)"
        r"|SPF (check|validation)? ?fail|DKIM (check|validation|verification) fail|violates the DMARC"
        r"|sender authentication (risk|requirements)",
    ),
    _Rule(
        "The receiver finds no matching reverse name (PTR) for the sending server, or no TLS.",
        Reaction.PAUSE_DOMAIN,
        enhanced=r"[45]\.7\.(25|29)",
        text=r"reverse (DNS|hostname)|PTR record",
    ),
    # The mailbox: limits, bans, a sender that may not be used.
    _Rule(
        "The mailbox has reached its server's sending limit.",
        Reaction.PAUSE_MAILBOX,
        MessageFate.DEFERRED,
        enhanced=r"[45]\.4\.5|5\.7\.(705|708)",
        text=r"daily (user )?sending (limit|quota)|sending (limit|quota) (exceeded|reached)"
        r"|exceeded (the|your) .{0,40}(limit|quota) .{0,20}(sending|messages|recipients|relay)"
        r"|(message|sending|submission) (rate|limit|quota) .{0,20}exceeded",
    ),
    _Rule(
        "The receiver has banned this sender or its server's address.",
        Reaction.PAUSE_MAILBOX,
        classes="5",
        enhanced=r"5\.1\.8|5\.7\.(50[1-3]|511|606|60[7-9]|6[1-4]\d)",
        text=r"banned send|bad outbound sender|OutboundSpam|\(S31[45]0\)|S31[45]0|RP-00[1-3]|SC-00[1-4]"
        r"|\[BL\d\d\]|\[PH01\]|(listed|blocked|found) .{0,40}(block ?list|blacklist|spamhaus|barracuda|spamcop)",
    ),
    _Rule(
        "The mail server does not let this mailbox send to other domains.",
        Reaction.PAUSE_MAILBOX,
        MessageFate.DEFERRED,
        classes="5",
        text=r"relay(ing)? (access )?(denied|not (allowed|permitted))|unable to relay|not permitted to relay",
    ),
    _Rule(
        "The mail server wants TLS or a sign-in that the mailbox's settings do not give.",
        Reaction.PAUSE_MAILBOX,
        MessageFate.DEFERRED,
        codes=frozenset({530, 538}),
    ),
    _Rule(
        "The mail server does not let this mailbox use its sender address.",
        Reaction.PAUSE_MAILBOX,
        MessageFate.DEFERRED,
        classes="5",
        enhanced=r"5\.7\.60|5\.2\.252",
        text=r"sender address rejected|SendAsDenied|not owned by user|not (authorized|allowed) to send (as|from)",
    ),
    _Rule(
        "The mail is larger than the server takes.",
        fate=MessageFate.FAILED,
        classes="5",
        enhanced=r"5\.3\.4|5\.2\.3",
        text=r"(message|size) .{0,30}(too (big|large)|exceeds)",
    ),
    _Rule(
        "The mail server refuses the sender.",
        Reaction.PAUSE_MAILBOX,
        MessageFate.DEFERRED,
        phases=frozenset({Phase.MAIL}),
        classes="5",
    ),
    # The provider: rate and reputation.
    _Rule(
        "The recipient gets mail faster than its server allows.",
        fate=MessageFate.DEFERRED,
        classes="4",
        enhanced=r"4\.2\.1",
        text=r"receiving mail (too quickly|at a rate)",
    ),
    _Rule(
        "The receiver asks us to wait before it takes mail from a new sender (greylisting).",
        fate=MessageFate.DEFERRED,
        classes="4",
        text=r"gr[ae]y-?list",
    ),
    _Rule(
        "The receiver limits our rate or distrusts our mail of late.",
        Reaction.SLOW_PROVIDER,
        classes="4",
        enhanced=r"4\.7\.(0|28|[56]\d\d|750)|4\.3\.2|4\.4\.5",
        text=r"unusual rate|rate[ -]?limit|too many (messages|connections|recipients|concurrent|emails)"
        r"|unsolicited|\[TSS?\d\d\]|user complaints|temporarily deferred|throttl|reputation|deferred due to"
        r"|concurrent connections",
    ),
    _Rule(
        "The receiver takes the mail for unwanted.",
        Reaction.SLOW_PROVIDER,
        MessageFate.FAILED,
        classes="5",
        enhanced=r"5\.7\.28",
        text=r"unsolicited|\bspam\b|reputation|\[TSS?\d\d\]|bulk mail",
    ),
    # The address.
    _Rule(
        "The recipient's mailbox is full.",
        classes="45",
        enhanced=r"[45]\.2\.2",
        text=r"over ?quota|mailbox (is )?full|out of storage|insufficient (system )?storage",
    ),
    _Rule(
        "The address does not exist or takes no mail.",
        fate=MessageFate.BOUNCED,
        phases=_RECIPIENT,
        classes="5",
        enhanced=r"5\.1\.(0|1|2|3|6|10)|5\.2\.1|5\.4\.4",
    ),
    _Rule(
        "The receiver refuses the mail by its policy.",
        fate=MessageFate.FAILED,
        classes="5",
        enhanced=r"5\.7\.\d+",
    ),
    _Rule(
        "The address does not exist or takes no mail.",
        fate=MessageFate.BOUNCED,
        phases=_RECIPIENT,
        classes="5",
        text=r"(user|recipient|mailbox|account|address|alias)( name)?( is)? (unknown|invalid|unavailable|disabled|inactive|suspended)"
        r"|(unknown|invalid|no such|bad destination) (local )?(user|recipient|mailbox|account|address|person)"
        r"|(user|recipient|mailbox|account|address)[^.]{0,60}(does(n't| not) exist|not found|has been disabled|is disabled)"
        r"|no mailbox (here|by that name)|does(n't| not) have an? \S+ account|user doesn't have|\bRecipientNotFound\b"
        r"|recipient address rejected: access denied|null ?MX|no longer (available|active|in use)",
    ),
    # What is left goes by its class alone (RFC 5321, section 4.2.1).
    _Rule("The server cannot take the mail now.", fate=MessageFate.DEFERRED, classes="4"),
    _Rule("The server refuses the mail for good.", fate=MessageFate.FAILED, classes="5"),
)


def classify_reply(reply: SmtpReply, *, phase: Phase) -> ReplyVerdict:
    """The verdict on the reply that ended a submission in `phase`.

    4xx never bounces, and a refusal for policy or authentication (5.7.x) never blames the address. An answer of
    another class than 2, 4 or 5, or a 2xx that ended a submission early, is out of the protocol: DEFERRED.
    """
    digit = reply.code // 100
    if digit == 2 and phase is Phase.AFTER_DATA:
        return ReplyVerdict(MessageFate.DELIVERED, Reaction.NONE, "The server has taken the mail.")
    for rule in _RULES:
        if rule.matches(reply, phase):
            by_class = MessageFate.FAILED if digit == 5 else MessageFate.DEFERRED
            return ReplyVerdict(rule.fate or by_class, rule.reaction, rule.reason)
    return ReplyVerdict(MessageFate.DEFERRED, Reaction.NONE, "The server's answer does not fit the SMTP protocol.")


def retry_delay_seconds(attempt: int, *, jitter: float, first_seconds: float = 900.0) -> float | None:
    """How long a deferred message waits after its try number `attempt` (1 is the first); None when it is given up.

    Doubles from `first_seconds` to 8 hours; `jitter` in 0..1 adds up to a fifth. Given up once the waits add up to
    four days (RFC 5321, section 4.5.4.1: "at least 4-5 days"; a mail of a campaign is stale by then).
    """
    waited = sum(_delay(each, first_seconds) for each in range(1, attempt))
    if waited >= GIVE_UP_SECONDS:
        return None
    return _delay(attempt, first_seconds) * (1 + 0.2 * jitter)


def _delay(attempt: int, first_seconds: float) -> float:
    return float(min(first_seconds * 2 ** min(attempt - 1, 30), LONGEST_DELAY_SECONDS))
