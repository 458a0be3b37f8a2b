"""A campaign to one list, launched, and watched until nothing more can happen soon."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

from app.demo import documents
from app.demo.api import Api
from app.demo.endpoints import Endpoints
from app.demo.live import Subscription, follow
from app.demo.problem import DemoProblem
from app.demo.progress import Figures, View
from app.demo.report import SendingResult

STALL_SECONDS = 45.0
QUIET_SECONDS = 5.0
LOOK_SECONDS = 0.1
STALLED = (
    f"Nothing moved for {STALL_SECONDS:.0f} seconds, so the demo stopped watching. The campaign goes on by itself."
)
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

SUBJECT = "{{ first_name | default: 'Hello' }}, a word from the penguins"
TEXT = """Hello {{ first_name | default: "there" }},

this mail was sent by PenguinMails' demo{% if company %} to you at {{ company }}{% endif %}: over real SMTP, one message
per contact, with every doubt on the table.

{{ sender_name }}
"""


async def prepare_campaign(api: Api, *, workspace_id: str, list_id: str, mailbox_ids: list[str], view: View) -> str:
    """The id of a campaign that is ready to launch."""
    template = {
        "workspaceId": workspace_id,
        "name": "A word from the penguins",
        "subject": SUBJECT,
        "textBody": TEXT,
        "onMissingField": "EMPTY",
    }
    template_id = (await api.mutate(documents.CREATE_TEMPLATE, template))["template"]["id"]
    view.step("Wrote a template with merge fields and fall-backs")
    campaign = {
        "workspaceId": workspace_id,
        "name": "Demo",
        "listId": list_id,
        "mailboxIds": mailbox_ids,
        "variants": [{"templateId": template_id}],
    }
    return str((await api.mutate(documents.CREATE_CAMPAIGN, campaign))["campaign"]["id"])


async def launch_and_watch(api: Api, endpoints: Endpoints, *, campaign_id: str, view: View) -> SendingResult:
    """Launches, and watches until every message is sent, refused, in doubt or deferred, or nothing moves any more."""
    watch = Watch(api, endpoints, campaign_id)
    watch.saw((await api.mutate(documents.LAUNCH_CAMPAIGN, {"campaignId": campaign_id}))["campaign"])
    view.step("Launched the campaign")
    with view.watching():
        await watch.until_over(view)
    result = watch.result()
    view.step(f"Watched it: {result.sent:,} sent in {result.seconds:.1f} seconds")
    if result.remark:
        view.warn(result.remark)
    return result


class Watch:
    """What is known about a running campaign, and since when. Seconds are of our own clock, since the launch."""

    def __init__(self, api: Api, endpoints: Endpoints, campaign_id: str) -> None:
        self._api = api
        self._url = endpoints.graphql_ws
        self._status = Subscription(documents.CAMPAIGN_STATUS, {"id": campaign_id})
        self._events = Subscription(documents.CAMPAIGN_EVENTS, {"id": campaign_id, "after": None}, cursor_of=_cursor)
        self._campaign_id = campaign_id
        self._launched_at = self._moved_at = self._last_sent_at = time.monotonic()
        self._updates = 0
        self._latest: dict[str, Any] = {}
        self._heard_at = self._launched_at
        self._remarks: list[str] = []
        self._figures = Figures("Sending")

    def saw(self, campaign: dict[str, Any]) -> None:
        """A newer state of the campaign."""
        before, now = self._latest.get("counts"), time.monotonic()
        counts = campaign["counts"]
        if before != counts or campaign["state"] != self._latest["state"]:
            self._moved_at = now
        if counts["sent"] > (before["sent"] if before else 0):
            self._last_sent_at = now
        self._latest, self._heard_at = campaign, now

    @property
    def over(self) -> bool:
        """Nothing waits, nothing is queued: what is left is deferred for minutes, or in doubt until a person decides."""
        counts = self._latest["counts"]
        nothing_open = not any(counts[name] for name in OPEN)
        return self._latest["state"] in ENDED or (
            counts["enrolled"] > 0 and nothing_open and not self._latest["enrolling"]
        )

    async def until_over(self, view: View) -> None:
        """Returns when it is over, or when nothing has moved for a while."""
        statuses = asyncio.create_task(self._follow_status())
        events = asyncio.create_task(self._follow_events())
        try:
            while not self.over:
                view.show(self._drawn())
                if time.monotonic() - self._moved_at > STALL_SECONDS:
                    self._remarks.append(STALLED)
                    return
                await self._next(statuses)
        finally:
            statuses.cancel()
            events.cancel()
            _status, feed = await asyncio.gather(statuses, events, return_exceptions=True)
            if isinstance(feed, Exception):
                self._remarks.append(f"The feed of events ended early: {feed}")

    async def _next(self, statuses: "asyncio.Task[None]") -> None:
        """Waits a moment for news. Asks when the subscription has been quiet; raises what ended it."""
        if statuses.done():
            statuses.result()
        if time.monotonic() - self._heard_at > QUIET_SECONDS or statuses.done():
            self.saw(await self._asked())
        await asyncio.sleep(LOOK_SECONDS)

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

    def result(self) -> SendingResult:
        counts = self._latest["counts"]
        seconds = self._last_sent_at - self._launched_at
        return SendingResult(
            sent=counts["sent"],
            bounced=counts["bounced"],
            suppressed=counts["suppressed"],
            in_doubt=counts["inDoubt"],
            deferred=counts["deferred"],
            failed=counts["failed"],
            cancelled=counts["cancelled"],
            open=sum(counts[name] for name in OPEN),
            per_second=counts["sent"] / seconds if counts["sent"] and seconds > 0 else 0.0,
            seconds=seconds,
            updates=self._updates,
            reconnects=self._status.reconnects + self._events.reconnects,
            remark=" ".join(self._remarks),
        )


def _cursor(data: dict[str, Any]) -> str | None:
    cursor = data["campaignEvents"]["cursor"]
    return str(cursor) if cursor else None


def _told(event: dict[str, Any]) -> str:
    return f"{event['topic']}  {event['payload']}"
