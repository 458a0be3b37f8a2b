"""When a mailbox may send its next mail: daily cap in the tenant's time zone, gap, and back-off."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WITHIN_RUN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """What the mailbox may do. `time_zone` is an IANA name, such as "Europe/Berlin"."""

    daily_cap: int
    minimum_gap_seconds: int
    time_zone: str

    def day_of(self, moment: datetime) -> date:
        """The day that the cap counts for, in the tenant's time zone."""
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    def next_day_at(self, moment: datetime) -> datetime:
        """When the next such day begins, aware, in the tenant's time zone (23 to 25 hours long where clocks change)."""
        zone = ZoneInfo(self.time_zone)
        return datetime.combine(self.day_of(moment) + timedelta(days=1), time.min, tzinfo=zone)


@dataclass(frozen=True, slots=True)
class SendingPast:
    """What the mailbox has done. `sent_today` counts for the day `sent_on`."""

    sent_on: date | None
    sent_today: int
    next_send_at: datetime | None


def remaining_today(limits: SendingLimits, past: SendingPast, now: datetime) -> int:
    """How many mails may still leave today."""
    sent = past.sent_today if past.sent_on == limits.day_of(now) else 0
    return max(0, limits.daily_cap - sent)


def next_allowed_at(limits: SendingLimits, past: SendingPast, now: datetime) -> datetime:
    """The earliest moment of the next mail: now, after the gap or back-off, or when the next day begins."""
    earliest = now if past.next_send_at is None else max(now, past.next_send_at)
    if remaining_today(limits, past, earliest) > 0:
        return earliest
    return max(limits.next_day_at(earliest), earliest)


def next_mail_at(limits: SendingLimits, past: SendingPast) -> datetime | None:
    """When gap, back-off and cap let the next mail leave, as far as the past tells; None or a past moment: at once."""
    if past.sent_on is None or past.sent_today < limits.daily_cap:
        return past.next_send_at
    day_after = datetime.combine(past.sent_on + timedelta(days=1), time.min, tzinfo=ZoneInfo(limits.time_zone))
    return day_after if past.next_send_at is None else max(day_after, past.next_send_at)


def keeps_connection(limits: SendingLimits) -> bool:
    """Whether the gap is short enough to wait for the next mail with the connection open."""
    return limits.minimum_gap_seconds <= WITHIN_RUN_SECONDS
