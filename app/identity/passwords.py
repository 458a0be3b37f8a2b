"""Hashing passwords with argon2id (RFC 9106), off the event loop, a few at a time."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from app.core.errors import Throttled


class Passwords:
    """The defaults are RFC 9106's second choice (64 MiB, 3 passes, 4 lanes); `at_once` bounds memory and CPU."""

    def __init__(
        self, *, passes: int = 3, memory_kib: int = 65_536, lanes: int = 4, at_once: int = 2, most_waiting: int = 100
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="argon2")
        self._most_waiting = most_waiting
        self._waiting = 0
        self._nobodys = self._hasher.hash(secrets.token_hex(16))

    async def hash(self, password: str) -> str:
        """Raises Throttled when too many wait already."""
        return await self._in_thread(password, None)

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password. None stands for a user who does not exist: False, after the same work."""
        answer = await self._in_thread(password, self._nobodys if hashed is None else hashed)
        return answer == "matches" and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Whether it was hashed with other parameters than today's, and should be hashed again at this sign-in."""
        return self._hasher.check_needs_rehash(hashed)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, password: str, hashed: str | None) -> str:
        if self._waiting >= self._most_waiting:
            raise Throttled(retry_after_seconds=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._argon2, password, hashed)
        finally:
            self._waiting -= 1

    def _argon2(self, password: str, hashed: str | None) -> str:
        """The one place where argon2 runs: hashes, or says whether it matches."""
        if hashed is None:
            return self._hasher.hash(password)
        try:
            self._hasher.verify(hashed, password)
        except VerifyMismatchError:
            return "differs"
        except (VerificationError, InvalidHashError) as error:
            raise RuntimeError("a stored password hash cannot be read") from error
        return "matches"
