"""One PostgreSQL and one Redis that live for a whole test run and leave nothing behind."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.embedded.errors import EmbeddedError
from app.embedded.ports import free_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis

POSTGRES_VARIABLE: Final = "PENGUINMAILS_TEST_POSTGRES_URL"
REDIS_VARIABLE: Final = "PENGUINMAILS_TEST_REDIS_URL"


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where the servers of a test run are: the superuser of PostgreSQL, and Redis."""

    postgres: str
    redis: str

    def to_environment(self) -> dict[str, str]:
        """Variables to put into os.environ before workers are started, which inherit them."""
        return {POSTGRES_VARIABLE: self.postgres, REDIS_VARIABLE: self.redis}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """None when no run has put them there."""
        try:
            return cls(postgres=environment[POSTGRES_VARIABLE], redis=environment[REDIS_VARIABLE])
        except KeyError:
            return None


class DisposableServers:
    """Starts both on free ports, without fsync; `stop` removes their files.

    Under pytest-xdist the controller starts them (`pytest_configure` without `workerinput`), puts
    `urls.to_environment()` into os.environ, and stops them in `pytest_unconfigure`. Should it be killed, the kernel ends
    the servers with it (Linux)."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="penguinmails-test-"))
        if os.geteuid() == 0:
            self._folder.chmod(0o711)  # PostgreSQL's own account has to pass
        self.postgres = EmbeddedPostgres(self._folder, free_port(), fast=True)
        self.redis = EmbeddedRedis(self._folder, free_port(), fast=True)

    @property
    def urls(self) -> ServerUrls:
        return ServerUrls(postgres=self.postgres.superuser_url, redis=self.redis.url)

    def start(self) -> None:
        """Call it from the main thread: the servers end with the thread that started them. Raises EmbeddedError."""
        try:
            self.postgres.start()
            self.redis.start()
        except EmbeddedError:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends both and removes their files. Does nothing the second time."""
        self.redis.stop()
        self.postgres.stop()
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
