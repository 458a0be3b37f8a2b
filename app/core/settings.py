"""Settings: typed, read once from the environment (PENGUINMAILS_*), with a sentence for each mistake."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.secrets import decode_key

Words = Annotated[tuple[str, ...], NoDecode]


class SettingsInvalid(ValueError):
    """One or more settings are missing or wrong; the message has a sentence for each."""


class Settings(BaseSettings):
    """Every field is a variable PENGUINMAILS_<NAME>. Durations are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix="PENGUINMAILS_", frozen=True, extra="ignore")

    environment: Literal["production", "development"] = "production"
    oltp_url: str = Field(description="OLTP tier, as the role penguinmails_app")
    content_url: str = Field(description="Content tier, as the role penguinmails_app")
    olap_url: str = Field(description="OLAP tier, as the role penguinmails_app")
    system_url: str | None = Field(None, description="OLTP tier, as penguinmails_system; the relay needs it")
    redis_url: str = Field(description="Redis database of its own, with the policy noeviction")
    jobs_redis_url: str | None = Field(
        None, description="Redis database of the job queues; best one of its own; default: the same as redis_url"
    )
    database_dialect: Literal["postgresql", "nile"] = "postgresql"
    statement_cache: bool = Field(
        True, description="false behind a transaction-pooling proxy without prepared statements"
    )
    oltp_pool: int = Field(10, ge=1, le=200)
    content_pool: int = Field(4, ge=1, le=200)
    olap_pool: int = Field(2, ge=1, le=200)
    system_pool: int = Field(2, ge=1, le=20)

    master_keys: SecretStr = Field(
        description="key-encryption keys as version:key, comma-separated; the highest is used"
    )
    token_key: SecretStr = Field(description="key that signs access tokens, 32 bytes as hexadecimal or base64")

    public_url: str = Field("http://127.0.0.1:8000", description="where people reach this API")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: Words = ()
    allowed_origins: Words = Field((), description="origins of single-page apps that may call the API (CORS)")

    clock_start: datetime | None = None
    clock_speed: float = Field(1.0, gt=0)
    clock_epoch_at: float | None = None

    egress_allow: Words = Field((), description="host:port pairs that may be reached although they are not public")
    trust_ca_file: Path | None = None
    sandbox_http_url: str | None = Field(
        None, description="where the sandbox shows what it received; set by `up`, never in production"
    )
    system_smtp_url: str | None = Field(None, description="smtp(s)://user:password@host:port for invitations and such")
    system_mail_from: str = "PenguinMails <no-reply@penguinmails.example>"

    worker_threads: int = Field(32, ge=1, le=256)
    job_window: int | None = Field(
        None, ge=1, description="dispatched and unclaimed jobs per queue; default 2 x threads"
    )
    job_lease_seconds: float = Field(
        30.0, ge=1, description="how long after a worker's death its jobs run again; kept alive while they run"
    )
    drain_seconds: float = Field(25.0, ge=0, description="how long running jobs may finish after SIGTERM")
    metrics_token: SecretStr | None = Field(
        None, description="what /metrics asks for as a bearer token; without it only this machine may read it"
    )
    worker_metrics_port: int | None = Field(None, ge=1, le=65535, description="loopback port of a worker's /metrics")
    relay_metrics_port: int | None = Field(None, ge=1, le=65535, description="loopback port of the relay's /metrics")
    upload_limit_bytes: int = Field(256 * 1024 * 1024, ge=1, le=2**31 - 1)
    sign_in_attempts_per_minute: int = Field(10, ge=1, description="per address, and per account and network")
    even_answer_seconds: float = Field(
        0.4, ge=0, le=10, description="least time of answers that must not tell whether an account exists"
    )
    graphql_points_per_second: int = Field(2_000, ge=1)
    graphql_bucket_points: int = Field(20_000, ge=1)
    compiled_execution: bool = Field(
        True, description="false leaves every GraphQL selection to graphql-core, which gives the same answers slower"
    )
    sockets_per_session: int = Field(
        50, ge=1, description="WebSockets and event streams that one session has open in one API process"
    )
    sockets_per_address: int = Field(
        200, ge=1, description="those of one address in one API process that nobody has signed in to, or not yet"
    )
    retry_first_seconds: float = Field(
        900.0, gt=0, description="how long a deferred mail first waits; doubles with each try, given up after four days"
    )
    provider_slowdown_seconds: float = Field(
        300.0,
        gt=0,
        description="how long a mailbox first spares a provider that asked for less; doubles when it asks again",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("egress_allow", "trusted_proxies", "allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("master_keys")
    @classmethod
    def _check_keys(cls, value: SecretStr) -> SecretStr:
        parse_master_keys(value.get_secret_value())
        return value

    @field_validator("token_key")
    @classmethod
    def _check_key(cls, value: SecretStr) -> SecretStr:
        decode_key(value.get_secret_value())
        return value

    @field_validator("clock_start")
    @classmethod
    def _check_aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("needs a time zone, such as 2026-01-01T00:00:00Z")
        return value


def parse_master_keys(text: str) -> dict[int, bytes]:
    """`1:<key>,2:<key>` -> keys by version. Raises ValueError with a sentence."""
    keys: dict[int, bytes] = {}
    for part in text.split(","):
        version, found, key = part.strip().partition(":")
        if not found or not version.isdecimal():
            raise ValueError("is written as version:key, such as 1:<64 hexadecimal digits>")
        keys[int(version)] = decode_key(key)
    return keys


def read_settings() -> Settings:
    """From the environment. Raises SettingsInvalid with one sentence per mistake."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsInvalid("\n".join(_sentence(each) for each in error.errors())) from error


def _sentence(error: object) -> str:
    assert isinstance(error, dict)
    name = "PENGUINMAILS_" + "_".join(str(part) for part in error["loc"]).upper()
    if error["type"] == "missing":
        described = Settings.model_fields[str(error["loc"][0])].description or "no default exists"
        return f"{name} is not set ({described})."
    return f"{name} is wrong: {error['msg']}."
