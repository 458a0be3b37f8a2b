"""What becomes of a message and its mailbox after a try: from the port's outcome to the ledger's next state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.outreach.ports import Accepted, ConnectionProblem, InDoubt, NotSubmitted, SubmitOutcome
from app.outreach.rules.message_states import AttemptOutcome, MessageState
from app.outreach.rules.smtp_replies import (
    MessageFate,
    Phase,
    Reaction,
    ReplyVerdict,
    SmtpReply,
    classify_reply,
    retry_delay_seconds,
)

PUT_BACK_SECONDS = 30.0
GIVE_UP_AFTER = timedelta(days=4)
SLOWEST_LEVEL = 6
CALM_AFTER = 10
RECENT_TRIES = 20
FIRST_SLOWDOWN_SECONDS = 300.0
_FIRST_CONNECTION_SECONDS = 30.0
_LONGEST_CONNECTION_SECONDS = 3_600.0

# Problems that time alone does not cure: a person has to change the mailbox's settings.
LASTING_PROBLEMS = frozenset(
    {
        ConnectionProblem.HOST_REFUSED,
        ConnectionProblem.CERTIFICATE,
        ConnectionProblem.NOT_SMTP,
        ConnectionProblem.STARTTLS_MISSING,
        ConnectionProblem.AUTH_MISSING,
        ConnectionProblem.AUTH_REFUSED,
        ConnectionProblem.SENDER_REFUSED,
    }
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to write about a try. `due_at` is set exactly when the message waits again; `reply` are the server's words."""

    state: MessageState
    outcome: AttemptOutcome
    reason: str
    reply: str | None = None
    due_at: datetime | None = None
    reaction: Reaction = Reaction.NONE
    suppress: bool = False

    @property
    def used_slot(self) -> bool:
        """Whether the try counts for the mailbox's day: not when the server has certainly kept nothing of it."""
        return self.outcome not in (AttemptOutcome.DEFERRED, AttemptOutcome.PUT_BACK)


@dataclass(frozen=True, slots=True)
class Tries:
    """The message's tries so far, this one included (1 is the first), when the first was, and the first wait between."""

    count: int
    first_at: datetime
    first_wait_seconds: float = 900.0


def settle(outcome: SubmitOutcome, tries: Tries, *, now: datetime, jitter: float) -> Settlement:
    """`jitter` in 0..1 spreads retries. Never retries what may have been taken."""
    if isinstance(outcome, InDoubt):
        return Settlement(MessageState.IN_DOUBT, AttemptOutcome.IN_DOUBT, outcome.reason)
    if isinstance(outcome, NotSubmitted):
        return _put_back(outcome, tries, now, jitter)
    if isinstance(outcome, Accepted):
        words = str(outcome.reply)
        return Settlement(MessageState.SENT, AttemptOutcome.SENT, "The mail server has taken the mail.", words)
    verdict = classify_reply(outcome.reply, phase=outcome.phase)
    return _from_verdict(verdict, str(outcome.reply), tries, now=now, jitter=jitter)


def _from_verdict(verdict: ReplyVerdict, reply: str, tries: Tries, *, now: datetime, jitter: float) -> Settlement:
    if verdict.fate is MessageFate.BOUNCED:
        return Settlement(
            MessageState.BOUNCED,
            AttemptOutcome.BOUNCED,
            verdict.reason,
            reply,
            None,
            verdict.reaction,
            verdict.suppress,
        )
    if verdict.fate is MessageFate.FAILED:
        return Settlement(MessageState.FAILED, AttemptOutcome.FAILED, verdict.reason, reply, None, verdict.reaction)
    delay = retry_delay_seconds(tries.count, jitter=jitter, first_seconds=tries.first_wait_seconds)
    if delay is None or now - tries.first_at >= GIVE_UP_AFTER:
        reason = f"Given up after {tries.count} tries in four days. {verdict.reason}"
        return Settlement(MessageState.FAILED, AttemptOutcome.FAILED, reason, reply, None, verdict.reaction)
    due_at = now + timedelta(seconds=delay)
    return Settlement(MessageState.DEFERRED, AttemptOutcome.DEFERRED, verdict.reason, reply, due_at, verdict.reaction)


def _put_back(outcome: NotSubmitted, tries: Tries, now: datetime, jitter: float) -> Settlement:
    if now - tries.first_at >= GIVE_UP_AFTER:
        return Settlement(MessageState.FAILED, AttemptOutcome.FAILED, f"Given up after four days. {outcome.reason}")
    due_at = now + timedelta(seconds=connection_delay_seconds(tries.count, jitter=jitter))
    return Settlement(MessageState.QUEUED, AttemptOutcome.PUT_BACK, outcome.reason, None, due_at)


def connection_delay_seconds(failures: int, *, jitter: float) -> float:
    """How long a mailbox waits after its `failures`-th failed connection in a row: 30 s, doubling up to an hour."""
    delay: float = min(_FIRST_CONNECTION_SECONDS * 2.0 ** min(failures - 1, 20), _LONGEST_CONNECTION_SECONDS)
    return delay * (1 + 0.2 * jitter)


@dataclass(frozen=True, slots=True)
class RecentTry:
    """One of a mailbox's last tries, whatever its message."""

    outcome: str
    at: datetime


def slowdown_level(
    previous: int, *, previous_until: datetime | None, recent: Sequence[RecentTry], now: datetime
) -> int:
    """One more than before when the provider complains again within an hour of the last slow-down's end; else 1.

    Ten mails taken since then are evidence that it had calmed down: a new complaint starts at 1 again.
    """
    if previous_until is None or now - previous_until > timedelta(hours=1):
        return 1
    taken = sum(each.outcome == AttemptOutcome.SENT and each.at > previous_until for each in recent)
    return 1 if taken >= CALM_AFTER else min(previous + 1, SLOWEST_LEVEL)


def is_domain_distrusted(recent: Sequence[RecentTry]) -> bool:
    """Whether receivers in general refuse the domain's authentication: at least half of the last tries failed.

    One receiver that refuses what the others take is that receiver's rule; only its own mail fails then. A refusal of
    the first mails is told at once, since nothing speaks for the domain.
    """
    failed = sum(each.outcome == AttemptOutcome.FAILED for each in recent)
    return 2 * failed >= len(recent)


def is_always_in_doubt(recent: Sequence[RecentTry]) -> bool:
    """Whether every one of the last RECENT_TRIES tries lost its answer: the server takes mail and never says so."""
    return len(recent) >= RECENT_TRIES and all(each.outcome == AttemptOutcome.IN_DOUBT for each in recent)


def slowdown_seconds(level: int, *, first_seconds: float = FIRST_SLOWDOWN_SECONDS) -> float:
    """How long a mailbox writes nothing to a provider that asked for less: `first_seconds`, doubling with each level."""
    return first_seconds * 2.0 ** (level - 1)


def is_lasting(problem: ConnectionProblem, reply: SmtpReply | None, phase: Phase) -> bool:
    """Whether a person must change something before the server can be used; the server's words decide where it spoke."""
    if reply is not None:
        return classify_reply(reply, phase=phase).reaction is Reaction.PAUSE_MAILBOX
    return problem in LASTING_PROBLEMS
