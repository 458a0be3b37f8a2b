"""Asks the sandbox of this deployment, over HTTP on loopback, what it received."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from app.outreach.ports import SandboxAway, SandboxMail

TIMEOUT_SECONDS = 5.0


class HttpSandboxInbox:
    """Implements app.outreach.ports.SandboxInbox."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    @property
    def is_there(self) -> bool:
        return self._url is not None

    async def received(self, tenant_id: UUID, *, after: int, first: int) -> tuple[list[SandboxMail], bool]:
        if self._url is None:
            raise SandboxAway("this deployment has no sandbox")
        chosen: dict[str, str | int] = {"tenant": str(tenant_id), "after": after, "first": first}
        try:
            async with httpx.AsyncClient(base_url=self._url, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
                page = (await client.get("/messages", params=chosen)).raise_for_status().json()
                sources = await asyncio.gather(*(_source(client, shown) for shown in page["messages"]))
        except httpx.HTTPError as error:
            raise SandboxAway(str(error) or type(error).__name__) from error
        mails = [_mail(shown, source) for shown, source in zip(page["messages"], sources, strict=True)]
        return mails, bool(page["hasMore"])


async def _source(client: httpx.AsyncClient, shown: Mapping[str, Any]) -> str:
    answer = await client.get(f"/messages/{shown['position']}/raw")
    return answer.raise_for_status().content.decode("ascii", "backslashreplace")


def _mail(shown: Mapping[str, Any], source: str) -> SandboxMail:
    return SandboxMail(
        position=shown["position"],
        received_at=datetime.fromisoformat(shown["receivedAt"]),
        disposition=shown["disposition"],
        behaviour=shown["behaviour"],
        reply=shown["reply"],
        sender=shown["sender"],
        recipients=tuple(shown["recipients"]),
        message_id=shown["messageId"],
        subject=shown["subject"],
        tls=shown["tls"],
        size_bytes=shown["sizeBytes"],
        source=source,
    )
