"""The operators' commands against a server of their own: bootstrap, migrate, doctor, backup, restore."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import redis as redis_client
from typer.testing import CliRunner

from app.cli import build
from app.commands.failure import CommandFailed
from app.core.ids import new_id
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.redis import EmbeddedRedis

TENANT = UUID("0192f000-0000-7000-8000-000000000001")


@dataclass(frozen=True)
class Installation:
    """A server that was bootstrapped and migrated by the commands, and the settings they printed."""

    folder: Path
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    settings: dict[str, str]

    def url(self, tier: str, who: str = "") -> str:
        return self.settings[f"PENGUINMAILS_{tier.upper()}_{who + '_' if who else ''}URL"]

    def fetch(self, url: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(url)
            try:
                return await connection.fetch(sql, *arguments)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def tenants(self) -> list[str]:
        return [row["name"] for row in self.fetch(self.url("oltp", "OWNER"), "SELECT name FROM tenants ORDER BY id")]


def run(*words: str) -> tuple[int, str]:
    """In this process, with its environment. Returns the exit code and what was printed; lets CommandFailed through."""
    done = CliRunner().invoke(build(words[0]), list(words), catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="penguinmails-operator-"))
    postgres = EmbeddedPostgres(folder, fast=True)
    redis = EmbeddedRedis(folder, fast=True)
    try:
        postgres.start()
        redis.start()
        code, printed = run("bootstrap", "--admin-url", postgres.superuser_url, "--data", str(folder))
        assert code == 0
        settings = dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("PENGUINMAILS_"))
        settings |= {"PENGUINMAILS_REDIS_URL": redis.url, "PENGUINMAILS_PUBLIC_URL": "https://mail.acme.example"}
        yield Installation(folder, postgres, redis, settings)
    finally:
        redis.stop()
        postgres.stop()
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def settings(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in installation.settings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", autouse=True)
def migrated(installation: Installation) -> str:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in installation.settings.items():
            patch.setenv(name, value)
        return run("migrate")[1]


@pytest.fixture
def with_a_tenant(installation: Installation) -> Iterator[None]:
    owner = installation.url("oltp", "OWNER")
    installation.fetch(owner, "INSERT INTO tenants (id, name) VALUES ($1, 'Acme')", TENANT)
    yield
    installation.fetch(owner, "DELETE FROM tenants")


def test_bootstrap_gives_the_same_settings_again_and_migrate_finds_nothing_to_do(
    installation: Installation, migrated: str
) -> None:
    grant = "GRANT pg_read_all_data TO penguinmails_backup"  # as earlier versions did
    installation.fetch(installation.postgres.superuser_url, grant)
    code, printed = run(
        "bootstrap", "--admin-url", installation.postgres.superuser_url, "--data", str(installation.folder)
    )

    assert code == 0
    for name, value in installation.settings.items():
        if name not in ("PENGUINMAILS_REDIS_URL", "PENGUINMAILS_PUBLIC_URL"):
            assert f"{name}={value}\n" in printed
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        installation.fetch(installation.url("oltp", "BACKUP"), "SELECT rolpassword FROM pg_authid")
    assert "oltp_2026_11_24_0010_identity" in migrated
    assert run("migrate") == (0, "oltp: up to date\ncontent: up to date\nolap: up to date\n")


def test_saved_settings_are_used_by_commands_with_that_data_folder_and_no_settings_of_their_own(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = installation.postgres.superuser_url
    assert run("bootstrap", "--admin-url", url, "--save", "--data", str(installation.folder))[0] == 0
    saved = installation.folder / "environment.json"
    assert saved.stat().st_mode & 0o777 == 0o600
    for name in installation.settings:
        monkeypatch.delenv(name)

    try:
        assert run("migrate", "--data", str(installation.folder))[1].startswith("oltp: up to date\n")
        with pytest.raises(CommandFailed, match="Not set: PENGUINMAILS_OLTP_OWNER_URL"):
            monkeypatch.setenv("PENGUINMAILS_OLTP_URL", installation.url("oltp"))
            for tier in ("OLTP", "CONTENT", "OLAP"):
                monkeypatch.delenv(f"PENGUINMAILS_{tier}_OWNER_URL", raising=False)
            run("migrate", "--data", str(installation.folder))
    finally:
        saved.unlink()


def test_bootstrap_says_what_the_server_said(installation: Installation) -> None:
    with pytest.raises(CommandFailed, match="The server could not be prepared: password authentication failed"):
        run("bootstrap", "--admin-url", f"postgresql://postgres:no@127.0.0.1:{installation.postgres.port}/postgres")


def test_doctor_finds_nothing_wrong_with_a_sound_set_up(installation: Installation) -> None:
    code, said = run("doctor", "--data", str(installation.folder))

    assert code == 0, said
    assert "ok    The settings are valid, for production.\n" in said
    assert "row-level security is in force on all" in said
    assert "ok    oltp: all migrations are there.\n" in said
    assert f"ok    Redis at 127.0.0.1:{installation.redis.port} answers and never evicts.\n" in said
    assert said.endswith("Nothing is wrong.\n")


def test_doctor_complains_of_doors_that_stand_open_in_production(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENGUINMAILS_EGRESS_ALLOW", "127.0.0.1:2465")
    monkeypatch.setenv("PENGUINMAILS_TRUST_CA_FILE", "/no/such/ca.pem")
    monkeypatch.setenv("PENGUINMAILS_PUBLIC_URL", "http://mail.acme.example")

    code, said = run("doctor", "--data", str(installation.folder))

    assert code == 1
    assert "wrong PENGUINMAILS_EGRESS_ALLOW lets tenants reach 127.0.0.1:2465" in said
    assert "wrong PENGUINMAILS_TRUST_CA_FILE makes mail servers with a private authority trusted" in said
    assert "wrong PENGUINMAILS_TRUST_CA_FILE names /no/such/ca.pem, which is not there." in said
    assert "wrong PENGUINMAILS_PUBLIC_URL is http://mail.acme.example" in said
    assert said.endswith("4 wrong.\n")


def test_doctor_tells_a_superuser_a_fallen_wall_a_missing_migration_and_too_small_a_server(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser = f"{installation.postgres.superuser_url.rpartition('/')[0]}/penguinmails_oltp"
    monkeypatch.setenv("PENGUINMAILS_OLTP_URL", superuser)
    owner, content = installation.url("oltp", "OWNER"), installation.url("content", "OWNER")
    installation.fetch(owner, "ALTER TABLE workspaces DISABLE ROW LEVEL SECURITY")
    (last,) = installation.fetch(
        content, "DELETE FROM migration WHERE id = (SELECT max(id) FROM migration) RETURNING *"
    )

    try:
        code, said = run("doctor", "--processes", "100", "--data", str(installation.folder))
    finally:
        installation.fetch(owner, "ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY")
        restore = "INSERT INTO migration (id, name, app_name) VALUES ($1, $2, $3)"
        installation.fetch(content, restore, last["id"], last["name"], last["app_name"])

    assert code == 1
    assert "wrong oltp: the role postgres passes every wall between tenants; use penguinmails_app." in said
    assert "wrong oltp: row-level security is not in force on workspaces." in said
    assert f"wrong content: 1 migrations are missing ({last['name']} ...): run `penguinmails migrate`." in said
    assert "wrong 100 processes may open 1602 connections" in said


def test_doctor_complains_of_a_redis_that_evicts(installation: Installation) -> None:
    with redis_client.Redis.from_url(installation.redis.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            code, said = run("doctor", "--data", str(installation.folder))
        finally:
            client.config_set("maxmemory-policy", "noeviction")

    assert code == 1
    assert "has the policy allkeys-lru, which drops queued jobs: set maxmemory-policy noeviction." in said


def test_doctor_says_which_server_does_not_answer_and_who_can_read_the_secrets(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENGUINMAILS_OLAP_URL", "postgresql://penguinmails_app:secret@127.0.0.1:1/none")
    monkeypatch.setenv("PENGUINMAILS_REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    secrets = installation.folder / "secrets.json"
    secrets.chmod(0o644)

    try:
        code, said = run("doctor", "--data", str(installation.folder))
    finally:
        secrets.chmod(0o600)

    assert code == 1
    assert "wrong olap: PostgreSQL at 127.0.0.1:1 cannot be reached" in said
    assert "wrong Redis at 127.0.0.1:1 cannot be reached" in said
    assert f"wrong {secrets} can be read by others: chmod 600 {secrets}" in said
    assert "secret@" not in said


def test_doctor_lists_every_mistake_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PENGUINMAILS_TOKEN_KEY")
    monkeypatch.setenv("PENGUINMAILS_PORT", "many")

    code, said = run("doctor", "--data", str(tmp_path))

    assert code == 1
    assert "wrong PENGUINMAILS_TOKEN_KEY is not set" in said
    assert "wrong PENGUINMAILS_PORT is wrong" in said


def test_a_backup_by_its_role_or_by_the_owner_is_restored_with_every_row_wall_and_grant(
    installation: Installation, with_a_tenant: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("backup", str(tmp_path / "by-role"))[0] == 0
    for tier in ("OLTP", "CONTENT", "OLAP"):
        monkeypatch.delenv(f"PENGUINMAILS_{tier}_BACKUP_URL")
    assert run("backup", str(tmp_path / "by-owner"))[0] == 0

    for folder in (tmp_path / "by-role", tmp_path / "by-owner"):
        installation.fetch(installation.url("oltp", "OWNER"), "UPDATE tenants SET name = 'changed since'")
        code, said = run("restore", str(folder), "--force")
        assert code == 0, said
        assert installation.tenants() == ["Acme"]
        assert installation.fetch(installation.url("oltp"), "SELECT * FROM tenants") == []  # no tenant set: no row
        assert len(installation.fetch(installation.url("oltp", "BACKUP"), "SELECT * FROM tenants")) == 1
        assert run("doctor", "--data", str(installation.folder))[1].endswith("Nothing is wrong.\n")


def test_a_campaign_that_ran_comes_back_paused_since_the_ledger_is_as_old_as_the_backup(
    installation: Installation, with_a_tenant: None, tmp_path: Path
) -> None:
    owner = installation.url("oltp", "OWNER")
    (tenant,) = installation.fetch(owner, "SELECT id FROM tenants")
    workspace, running, draft = new_id(), new_id(), new_id()
    installation.fetch(
        owner,
        "INSERT INTO workspaces (tenant_id, id, name, slug, version, created_at, updated_at) "
        "VALUES ($1, $2, 'W', 'w', 1, now(), now())",
        tenant["id"],
        workspace,
    )
    for campaign, state in ((running, "running"), (draft, "draft")):
        installation.fetch(
            owner,
            "INSERT INTO campaigns (tenant_id, id, workspace_id, name, state, enrolling, version, created_at, updated_at) "
            "VALUES ($1, $2, $3, 'C', $4, false, 1, now(), now())",
            tenant["id"],
            campaign,
            workspace,
            state,
        )
    run("backup", str(tmp_path / "saved"))

    code, said = run("restore", str(tmp_path / "saved"), "--force")

    assert code == 0, said
    assert "1 running campaigns are paused" in said
    rows = installation.fetch(owner, "SELECT id, state FROM campaigns")
    assert {row["id"]: row["state"] for row in rows} == {running: "paused", draft: "draft"}
    jobs = installation.fetch(owner, "SELECT kind, state, payload->>'campaign_id' AS campaign FROM jobs")
    assert [(row["kind"], row["state"], row["campaign"]) for row in jobs] == [("campaign.hold", "queued", str(running))]


def test_a_backup_is_for_its_owner_only_and_its_manifest_tells_sizes_and_hashes(tmp_path: Path) -> None:
    folder = tmp_path / "saved"

    code, said = run("backup", str(folder))

    manifest = json.loads((folder / "manifest.json").read_text())
    assert code == 0
    assert [dump["tier"] for dump in manifest["dumps"]] == ["oltp", "content", "olap"]
    for dump in manifest["dumps"]:
        file = folder / dump["file"]
        assert (file.stat().st_size, file.stat().st_mode & 0o777) == (dump["size_bytes"], 0o600)
        assert dump["sha256"] in said
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(CommandFailed, match="exists already; name a new folder"):
        run("backup", str(folder))


def test_a_large_object_of_the_app_role_which_nobody_else_reads_does_not_break_the_backup(
    installation: Installation, tmp_path: Path
) -> None:
    """Every role may make one; ours never do, so only an intruder would, to leave the operator without a backup."""
    app = installation.url("oltp")
    (made,) = installation.fetch(app, "SELECT lo_from_bytea(0, '\\x00') AS oid")

    try:
        code, said = run("backup", str(tmp_path / "saved"))
        restored, _ = run("restore", str(tmp_path / "saved"), "--force")
    finally:
        installation.fetch(app, "SELECT lo_unlink($1)", made["oid"])

    assert (code, restored) == (0, 0), said


def test_a_backup_that_fails_leaves_nothing_in_the_way_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setenv("PENGUINMAILS_OLAP_BACKUP_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        with pytest.raises(CommandFailed, match="pg_dump failed"):
            run("backup", str(tmp_path / "saved"))

    assert list(tmp_path.iterdir()) == []
    assert run("backup", str(tmp_path / "saved"))[0] == 0


def test_restore_refuses_filled_tiers_without_force_and_changes_nothing(
    installation: Installation, with_a_tenant: None, tmp_path: Path
) -> None:
    run("backup", str(tmp_path / "saved"))
    installation.fetch(installation.url("oltp", "OWNER"), "UPDATE tenants SET name = 'changed since'")

    with pytest.raises(CommandFailed, match=r"Nothing was restored: oltp \(\d+ tables\).* would be overwritten"):
        run("restore", str(tmp_path / "saved"))

    assert installation.tenants() == ["changed since"]


def test_restore_refuses_a_damaged_or_foreign_folder_before_it_touches_anything(
    installation: Installation, with_a_tenant: None, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    run("backup", str(folder))
    dump = folder / "content.dump"
    damaged = bytearray(dump.read_bytes())
    damaged[-1] ^= 1
    dump.write_bytes(damaged)
    (folder / "olap.dump").unlink()

    with pytest.raises(CommandFailed) as refused:
        run("restore", str(folder), "--force")

    assert "content.dump is not what was backed up (its SHA-256 differs)" in str(refused.value)
    assert "olap.dump is missing" in str(refused.value)
    assert installation.tenants() == ["Acme"]
    with pytest.raises(CommandFailed, match=r"is not a backup: it has no manifest\.json"):
        run("restore", str(tmp_path), "--force")


def test_restore_says_when_the_databases_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("backup", str(tmp_path / "saved"))
    monkeypatch.setenv("PENGUINMAILS_OLTP_OWNER_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(CommandFailed, match=r"cannot be reached .*the databases of `up` are there while `up` runs"):
        run("restore", str(tmp_path / "saved"), "--force")
