"""The SMTP connection of a run: opened when it is first needed, reused for mail after mail, opened again when it is lost."""

from contextlib import AsyncExitStack

from app.outreach.ports import MailSession, MailSubmitter, SmtpServer


class MailboxConnection:
    """At most one session at a time."""

    __slots__ = ("_open", "_server", "_session", "_submitter")

    def __init__(self, submitter: MailSubmitter, server: SmtpServer) -> None:
        self._submitter = submitter
        self._server = server
        self._open = AsyncExitStack()
        self._session: MailSession | None = None

    @property
    def is_ready(self) -> bool:
        return self._session is not None and self._session.usable

    async def session(self) -> MailSession:
        """The open session, or a new one. Never inside a transaction. Raises ServerUnusable."""
        if self._session is not None and self._session.usable:
            return self._session
        await self.close()
        self._session = await self._open.enter_async_context(self._submitter.session(self._server))
        return self._session

    async def close(self) -> None:
        self._session = None
        await self._open.aclose()
