"""Watches a running campaign by its subscriptions, and knows when there is nothing left to wait for."""

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from app.demo import documents
from app.demo.api import Api
from app.demo.live import Subscription, follow
from app.demo.problem import DemoProblem
from app.demo.progress import Figures, View
from app.demo.report import SendingResult

STALL_SECONDS = 60.0
QUIET_SECONDS = 5.0
STILL_SECONDS = 2.0
ASK_SECONDS = 1.0
LOOK_SECONDS = 0.1
MAILBOX_SECONDS = 2.0
SOON_SECONDS = 10.0
ENDED = frozenset({"COMPLETED", "CANCELLED"})
OPEN = ("waiting", "queued")
SHOWN = {
    "waiting": "waiting",
    "queued": "queued",
    "sent": "sent",
    "bounced": "bounced",
    "suppressed": "suppressed",
    "deferred": "deferred",
    "inDoubt": "in doubt",
    "failed": "failed",
}


class Watch:
    """What is known about a running campaign, and since when. Seconds are of our own clock, since the launch."""

    def __init__(self, api: Api, url: str, *, workspace_id: str, campaign_id: str) -> None:
        self._api = api
        self._url = url
        self._workspace_id = workspace_id
        self._campaign_id = campaign_id
        self._status = Subscription(documents.CAMPAIGN_STATUS, {"id": campaign_id})
        self._events = Subscription(documents.CAMPAIGN_EVENTS, {"id": campaign_id, "after": None}, cursor_of=_cursor)
        now = time.monotonic()
        self._launched_at = self._moved_at = self._heard_at = self._last_sent_at = self._mailboxes_at = (
            self._held_at
        ) = now
        # What was sent, and in how many seconds, when each had been tried once.
        self._first_round: tuple[int, float] | None = None
        self._updates = 0
        self._is_held = False
        self._latest: dict[str, Any] = {}
        self._remarks: dict[str, None] = {}
        self._figures = Figures("Sending")

    def saw(self, campaign: dict[str, Any]) -> None:
        """A newer state of the campaign."""
        before, now = self._latest.get("counts"), time.monotonic()
        counts = campaign["counts"]
        if before != counts or campaign["state"] != self._latest["state"]:
            self._moved_at = now
        if counts["sent"] > (before["sent"] if before else 0):
            self._last_sent_at = now
        if not campaign["enrolling"] and counts["enrolled"] and not any(counts[name] for name in OPEN):
            self._first_round = self._first_round or (counts["sent"], now - self._launched_at)
        self._latest, self._heard_at = campaign, now

    @property
    def is_over(self) -> bool:
        """Nothing waits, is queued or deferred; what is in doubt is so until a person decides."""
        counts = self._latest["counts"]
        is_settled = counts["enrolled"] > 0 and not any(counts[name] for name in (*OPEN, "deferred"))
        return self._latest["state"] in ENDED or (is_settled and not self._latest["enrolling"])

    async def until_over(self, view: View) -> None:
        """Returns when it is over, when the rest is held back for minutes, or when nothing has moved for a minute."""
        statuses = asyncio.create_task(self._follow_status())
        events = asyncio.create_task(self._follow_events())
        try:
            while not self.is_over and not await self._is_held_back() and not self._is_stalled():
                view.show(self._drawn())
                await self._next(statuses)
        finally:
            statuses.cancel()
            events.cancel()
            _status, feed = await asyncio.gather(statuses, events, return_exceptions=True)
            if isinstance(feed, Exception):
                self._remark(f"The feed of events ended early: {feed}")

    async def _next(self, statuses: "asyncio.Task[None]") -> None:
        """Waits a moment for news. Asks when the subscription has been quiet; raises what ended it."""
        if statuses.done():
            statuses.result()
        now = time.monotonic()
        if now - self._heard_at > QUIET_SECONDS or statuses.done():
            self.saw(await self._asked())
        if now - self._mailboxes_at > MAILBOX_SECONDS:
            self._mailboxes_at = now
            await self._resume_mailboxes()
        await asyncio.sleep(LOOK_SECONDS)

    def _is_stalled(self) -> bool:
        if time.monotonic() - self._moved_at < STALL_SECONDS:
            return False
        self._remark(f"Nothing moved for {STALL_SECONDS:.0f} seconds, so the demo stopped watching.")
        return True

    async def _is_held_back(self) -> bool:
        """Whether all that is left may go only later: its receivers have asked us to slow down or to come back."""
        if not self._is_still() or time.monotonic() - self._held_at < ASK_SECONDS:
            return False
        self._held_at = time.monotonic()
        self.saw(await self._asked())
        soonest = await self._soonest() if self._is_still() else None
        if soonest is None or (soonest - datetime.now(UTC)).total_seconds() < SOON_SECONDS:
            return False
        self._is_held = True
        counts = self._latest["counts"]
        self._remark(
            f"The other mails ({counts['queued'] + counts['deferred']:,}) wait until {soonest.astimezone():%H:%M:%S} or "
            "later, because their receivers asked us to slow down or to come back. They go out by themselves."
        )
        return True

    async def _soonest(self) -> datetime | None:
        """When the next of the mails is due that wait; None when none waits any more."""
        soonest: datetime | None = None
        for state in ("QUEUED", "DEFERRED"):
            after, has_more = None, True
            while has_more:
                wanted = {"campaignId": self._campaign_id, "state": state, "after": after}
                page = (await self._api.query(documents.WAITING_MESSAGES, wanted))["messages"]
                for edge in page["edges"]:
                    due_at = datetime.fromisoformat(edge["node"]["dueAt"])
                    soonest = due_at if soonest is None else min(soonest, due_at)
                after, has_more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        return soonest

    def _is_still(self) -> bool:
        """Messages are queued or deferred, and none has moved for some seconds."""
        counts = self._latest["counts"]
        is_left = (
            bool(counts["queued"] or counts["deferred"]) and not counts["waiting"] and not self._latest["enrolling"]
        )
        return is_left and time.monotonic() - self._moved_at >= STILL_SECONDS

    async def _resume_mailboxes(self) -> None:
        """A receiver that finds a sender's domain unauthenticated pauses it, until a person has looked. Here we are that."""
        answer = await self._api.query(documents.MAILBOXES, {"workspaceId": self._workspace_id})
        for mailbox in (edge["node"] for edge in answer["mailboxes"]["edges"]):
            if mailbox["pausedAt"] is not None:
                await self._api.mutate(documents.RESUME_MAILBOX, {"mailboxId": mailbox["id"]})
                self._remark(f"{mailbox['address']} was paused, and the demo resumed it. {mailbox['pauseReason']}")

    def _remark(self, sentence: str) -> None:
        self._remarks[sentence] = None

    async def _follow_status(self) -> None:
        async with aclosing(follow(self._api, self._url, self._status)) as events:
            async for data in events:
                self._updates += 1
                self.saw(data["campaignStatus"])

    async def _follow_events(self) -> None:
        """What happens, event by event; goes on after the last one seen when the connection drops."""
        async with aclosing(follow(self._api, self._url, self._events)) as events:
            async for data in events:
                self._figures.feed.append(_told(data["campaignEvents"]))

    async def _asked(self) -> dict[str, Any]:
        campaign = (await self._api.query(documents.CAMPAIGN, {"id": self._campaign_id}))["campaign"]
        if campaign is None:
            raise DemoProblem("The campaign is gone: somebody removed it, or its workspace.")
        assert isinstance(campaign, dict)
        return campaign

    def _drawn(self) -> Figures:
        counts = self._latest["counts"]
        self._figures.total = counts["enrolled"] if not self._latest["enrolling"] else None
        self._figures.done = counts["enrolled"] - sum(counts[name] for name in OPEN)
        self._figures.states = {word: counts[name] for name, word in SHOWN.items()}
        self._figures.per_second = self._latest["sentPerSecond"]
        return self._figures

    async def result(self) -> SendingResult:
        """Counted by a last query, so that the table does not depend on the subscription."""
        self.saw(await self._asked())
        counts = self._latest["counts"]
        sent, seconds = self._first_round or (counts["sent"], self._last_sent_at - self._launched_at)
        held = counts["queued"] if self._is_held else 0
        return SendingResult(
            sent=counts["sent"],
            bounced=counts["bounced"],
            suppressed=counts["suppressed"],
            in_doubt=counts["inDoubt"],
            deferred=counts["deferred"] + held,
            failed=counts["failed"],
            cancelled=counts["cancelled"],
            open=sum(counts[name] for name in OPEN) - held,
            per_second=sent / seconds if sent and seconds > 0 else 0.0,
            seconds=seconds,
            updates=self._updates,
            reconnects=self._status.reconnects + self._events.reconnects,
            remarks=list(self._remarks),
        )


def _cursor(data: dict[str, Any]) -> str | None:
    cursor = data["campaignEvents"]["cursor"]
    return str(cursor) if cursor else None


def _told(event: dict[str, Any]) -> str:
    words = (event["recipient"], event["reply"] or event["state"])
    return "  ".join([event["topic"], *(word for word in words if word)])
