"""What every test stands on: real servers, this worker's own databases, opened pools and resources."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from app.core.resources import Resources
from app.core.settings import Settings
from app.wiring import build_resources, opened
from db.core.migration import APP, SYSTEM
from tests.servers import VARIABLE, ServersOfRun, TestServers, make_databases

_servers: list[ServersOfRun] = []


def pytest_configure(config: pytest.Config) -> None:
    # structlog's default draws a traceback with all its variables, which takes seconds: longer than a socket's grace.
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.stdlib.add_log_level, structlog.processors.TimeStamper("iso"), renderer])
    if hasattr(config, "workerinput") or VARIABLE in os.environ or config.option.collectonly:
        return
    servers = ServersOfRun()
    _servers.append(servers)
    servers.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    while _servers:
        _servers.pop().stop()


@pytest.fixture(scope="session")
def servers() -> TestServers:
    return TestServers.from_environment()


@pytest.fixture(scope="session")
def worker_number() -> int:
    """0, 1, ...: of this pytest-xdist worker."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest_asyncio.fixture(scope="session")
async def databases(servers: TestServers, worker_number: int) -> dict[str, str]:
    """This worker's database names by tier."""
    return await make_databases(servers, f"test_{os.getpid()}_{worker_number}")


@pytest.fixture(scope="session")
def settings(
    servers: TestServers, databases: dict[str, str], worker_number: int, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a deployment on this worker's databases; its own Redis database."""
    return make_settings(servers, databases, redis_database=worker_number % 16)


def make_settings(
    servers: TestServers, databases: dict[str, str], *, redis_database: int, **changed: object
) -> Settings:
    values: dict[str, object] = {
        "environment": "development",
        "oltp_url": servers.url(databases["oltp"], APP),
        "content_url": servers.url(databases["content"], APP),
        "olap_url": servers.url(databases["olap"], APP),
        "system_url": servers.url(databases["oltp"], SYSTEM),
        "redis_url": servers.redis_database(redis_database),
        "master_keys": "1:" + "11" * 32,
        "token_key": "22" * 32,
        "public_url": "http://127.0.0.1:8000",
        "sign_in_attempts_per_minute": 1000,
    }
    return Settings.model_validate(values | changed)


@pytest_asyncio.fixture(scope="session")
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    """Opened pools and Redis, with the implementations that production has."""
    async with AsyncExitStack() as stack:
        built = build_resources(settings)
        await built.redis.flushdb()
        yield await stack.enter_async_context(opened(built, system=True))


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A folder that unprivileged servers may enter."""
    tmp_path.chmod(0o755)
    return tmp_path
