"""The parts that `up` runs: servers of this machine where none is named by settings, then our own processes, supervised."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from app.commands.data_folder import OPERATOR_VARIABLES, PREFIX, TIERS, DataFolder, LocalSecrets
from app.commands.failure import CommandFailed
from app.commands.local_settings import database_variables, given_variables
from app.embedded.ports import LOOPBACK, is_free, kept_port
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis
from app.embedded.supervisor import Supervisor
from db.core.bootstrap import bootstrap
from db.core.migrating import migrate

WORKERS: Final = 2
DEMO_EMAIL: Final = "demo@penguinmails.example"
# A person's own machine, whose providers are the sandbox: generous limits, and nothing that keeps them waiting.
LOCAL_LIMITS: Final = {
    "SIGN_IN_ATTEMPTS_PER_MINUTE": "1000",
    "GRAPHQL_POINTS_PER_SECOND": "100000",
    "GRAPHQL_BUCKET_POINTS": "1000000",
    "DRAIN_SECONDS": "8",
    "PROVIDER_SLOWDOWN_SECONDS": "1",
    "RETRY_FIRST_SECONDS": "3",
}
# Where the usual development servers of single-page apps run: without them a browser could not call this API.
LOCAL_ORIGINS: Final = tuple(
    f"http://{host}:{port}" for host in ("localhost", LOOPBACK) for port in (3000, 4173, 4200, 5173, 8080)
)


@dataclass(frozen=True, slots=True)
class LocalPorts:
    """Ports on 127.0.0.1, the same at every start of a data folder while they are free."""

    api: int
    smtp: int
    smtps: int
    sandbox_http: int


def choose_ports(folder: DataFolder, wanted: int | None) -> LocalPorts:
    """Raises CommandFailed when the wanted port of the API is taken."""
    if wanted is not None and not is_free(wanted):
        raise CommandFailed(f"Port {wanted} on {LOOPBACK} is taken; name another by --port.")
    return LocalPorts(
        api=wanted if wanted is not None else kept_port(folder.path / "api.port", usual=8000),
        smtp=kept_port(folder.path / "sandbox-smtp.port", usual=2587),
        smtps=kept_port(folder.path / "sandbox-smtps.port", usual=2465),
        sandbox_http=kept_port(folder.path / "sandbox-http.port", usual=8025),
    )


class LocalStack:
    """Starts the parts in order under a supervisor. `variables` are the settings of every process, as they become known."""

    def __init__(self, folder: DataFolder, supervisor: Supervisor, ports: LocalPorts) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self._secrets: LocalSecrets = folder.secrets()
        self.ports = ports
        self.given = given_variables()
        self.variables: dict[str, str] = self._process_settings() | self.given

    @property
    def demo_password(self) -> str:
        return self._secrets.demo_password

    def _process_settings(self) -> dict[str, str]:
        ports = self.ports
        sandbox = [f"{host}:{port}" for host in (LOOPBACK, "localhost") for port in (ports.smtp, ports.smtps)]
        chosen = {
            "ENVIRONMENT": "development",
            "MASTER_KEYS": f"1:{self._secrets.master_key}",
            "TOKEN_KEY": self._secrets.token_key,
            "HOST": LOOPBACK,
            "PORT": str(ports.api),
            "PUBLIC_URL": f"http://{LOOPBACK}:{ports.api}",
            "ALLOWED_ORIGINS": ",".join(LOCAL_ORIGINS),
            "EGRESS_ALLOW": ",".join(sandbox),
            "TRUST_CA_FILE": str(self.sandbox_ca_file),
            "SYSTEM_SMTP_URL": f"smtps://system:system@{LOOPBACK}:{ports.smtps}",
            "SANDBOX_HTTP_URL": f"http://{LOOPBACK}:{ports.sandbox_http}",
            "CLOCK_EPOCH_AT": str(time.time()),
        }
        return {PREFIX + name: value for name, value in (chosen | LOCAL_LIMITS).items()}

    @property
    def sandbox_ca_file(self) -> Path:
        return self._folder.path / "sandbox" / "certificates" / "ca.pem"

    @property
    def sandbox_livez(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.sandbox_http}/livez"

    @property
    def readyz(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.api}/readyz"

    def start_servers(self) -> None:
        """PostgreSQL (with roles and databases) and Redis, each only where no setting names a real one.

        Raises EmbeddedError, CommandFailed."""
        local_tiers = [tier for tier in TIERS if f"{PREFIX}{tier.upper()}_URL" not in self.given]
        if local_tiers:
            server = EmbeddedPostgres(self._folder.path)
            self._supervisor.start(server)
            if self._folder.path not in server.home.parents:
                self._supervisor.say(
                    "up", f"PostgreSQL's own account cannot enter {self._folder.path}: see {server.home}"
                )
            asyncio.run(bootstrap(server.superuser_url, self._secrets.passwords))
            self.variables = database_variables(server.superuser_url, self._secrets.passwords) | self.variables
            self._forget_local_urls_of(set(TIERS) - set(local_tiers))
        if f"{PREFIX}REDIS_URL" not in self.given:
            redis = EmbeddedRedis(self._folder.path)
            self._supervisor.start(redis)
            queues = urlunsplit(urlsplit(redis.url)._replace(path="/1"))
            self.variables = {f"{PREFIX}REDIS_URL": redis.url, f"{PREFIX}JOBS_REDIS_URL": queues} | self.variables

    def _forget_local_urls_of(self, tiers: set[str]) -> None:
        """A tier on a real server has the roles that its own settings name, not those of the local server."""
        for tier in tiers:
            for variable in (f"{PREFIX}{tier.upper()}_OWNER_URL", f"{PREFIX}{tier.upper()}_BACKUP_URL"):
                if variable not in self.given:
                    self.variables.pop(variable, None)
        if "oltp" in tiers and f"{PREFIX}SYSTEM_URL" not in self.given:
            raise CommandFailed(
                f"{PREFIX}OLTP_URL names a real server, so {PREFIX}SYSTEM_URL must too (the role penguinmails_system)."
            )

    def migrate(self) -> None:
        """Every tier whose owner is known; a real server's tiers without one are expected to be migrated already."""
        owners = {tier: self.variables.get(f"{PREFIX}{tier.upper()}_OWNER_URL") for tier in TIERS}
        ran = asyncio.run(migrate({tier: url for tier, url in owners.items() if url}))
        for tier, ids in ran.items():
            self._supervisor.say("up", f"{tier}: {f'{len(ids)} migrations' if ids else 'up to date'}")

    def process_environment(self) -> dict[str, str]:
        """What our processes get: everything but what is for operators only."""
        inherited = {name: value for name, value in os.environ.items() if name not in OPERATOR_VARIABLES}
        return inherited | {name: value for name, value in self.variables.items() if name not in OPERATOR_VARIABLES}

    def start_sandbox(self) -> None:
        ports = self.ports
        options = [f"--smtp-port={ports.smtp}", f"--smtps-port={ports.smtps}", f"--http-port={ports.sandbox_http}"]
        self._start("sandbox", "sandbox", *options)

    def start_processes(self) -> None:
        """API, relay and workers, in this order."""
        self._start("api", "serve", f"--port={self.ports.api}")
        self._start("relay", "relay")
        for number in range(1, WORKERS + 1):
            self._start(f"worker-{number}", "work")

    def _start(self, name: str, command: str, *options: str) -> None:
        words = [sys.executable, "-m", "app.cli", command, f"--data={self._folder.path}", *options]
        self._supervisor.start_child(name, words, environment=self.process_environment())

    def endpoints(self) -> Mapping[str, str]:
        """What clients need, as endpoints.json holds it."""
        at = f"{LOOPBACK}:{self.ports.api}"
        return {
            "graphql": f"http://{at}/graphql",
            "graphqlWs": f"ws://{at}/graphql",
            "graphqlStream": f"http://{at}/graphql/stream",
            "readyz": self.readyz,
            "metrics": f"http://{at}/metrics",
            **{tier: self.variables[f"{PREFIX}{tier.upper()}_URL"] for tier in TIERS},
            "redis": self.variables[f"{PREFIX}REDIS_URL"],
            "sandbox.smtp": f"smtps://{LOOPBACK}:{self.ports.smtps}",
            "sandbox.caFile": str(self.sandbox_ca_file),
            "demo.email": DEMO_EMAIL,
            "demo.password": self.demo_password,
        }
