"""The command line as a person meets it: help, sentences instead of tracebacks, exit codes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app import cli
from app.cli import COMMANDS, build, command_module

ROOT = Path(__file__).parents[2]


def run(*words: str, environment: dict[str, str] | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs the command with none of this process's settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENGUINMAILS_")}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=inherited | {"PYTHONPATH": str(ROOT), "COLUMNS": "140", "NO_COLOR": "1"} | (environment or {}),
    )


def test_help_lists_every_command_with_what_it_is_for() -> None:
    done = run("--help")

    assert done.returncode == 0
    for name, entry in COMMANDS.items():
        assert any(name in line and entry.help in line for line in done.stdout.splitlines()), name


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_describes_itself_and_takes_a_data_folder(name: str) -> None:
    done = CliRunner().invoke(build(name), [name, "--help"], env={"COLUMNS": "140", "NO_COLOR": "1"})

    assert done.exit_code == 0, done.output
    assert "--data" in done.output
    assert callable(getattr(command_module(name), name))


def test_an_unknown_command_is_refused_with_the_usage() -> None:
    done = run("sned")

    assert done.returncode == 2
    assert "No such command 'sned'" in done.stderr


def test_ctrl_c_while_a_command_still_loads_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_name: str | None) -> typer.Typer:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build", interrupted)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 130


def test_missing_settings_are_one_sentence_each_and_no_traceback(tmp_path: Path) -> None:
    done = run("serve", "--data", str(tmp_path))

    assert done.returncode == 1
    assert "PENGUINMAILS_OLTP_URL is not set (OLTP tier, as the role penguinmails_app)." in done.stderr
    assert "PENGUINMAILS_MASTER_KEYS is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_half_of_a_certificate_is_refused(tmp_path: Path) -> None:
    url = "postgresql://penguinmails_app:x@127.0.0.1:1/none"
    settings = {
        "PENGUINMAILS_OLTP_URL": url,
        "PENGUINMAILS_CONTENT_URL": url,
        "PENGUINMAILS_OLAP_URL": url,
        "PENGUINMAILS_REDIS_URL": "redis://127.0.0.1:1/0",
        "PENGUINMAILS_MASTER_KEYS": "1:" + "11" * 32,
        "PENGUINMAILS_TOKEN_KEY": "22" * 32,
        "PENGUINMAILS_TLS_KEY": str(tmp_path / "key.pem"),
    }

    done = run("serve", "--data", str(tmp_path), environment=settings)

    assert done.returncode == 1
    assert "PENGUINMAILS_TLS_CERTIFICATE and PENGUINMAILS_TLS_KEY are set together or not at all." in done.stderr


def test_migrate_and_backup_name_the_urls_that_they_miss(tmp_path: Path) -> None:
    migrated = run("migrate", "--data", str(tmp_path))
    saved = run("backup", str(tmp_path / "saved"), "--data", str(tmp_path))

    assert (migrated.returncode, saved.returncode) == (1, 1)
    assert "Not set: PENGUINMAILS_OLTP_OWNER_URL, PENGUINMAILS_CONTENT_OWNER_URL" in migrated.stderr
    assert "Not set: PENGUINMAILS_OLTP_BACKUP_URL" in saved.stderr
    assert not (tmp_path / "saved").exists()


def test_a_data_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    done = run("up", "--data", str(tmp_path / "file" / "data"))

    assert done.returncode == 1
    assert "Cannot make the data folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Like site-packages: the code's folders beside each other, without pyproject.toml and tests."""
    folder = tmp_path_factory.mktemp("site-packages")
    for each in ("app", "graph", "actors", "db", "migrations"):
        shutil.copytree(ROOT / each, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("words", [("test",), ("bench",), ("schema", "--check")])
def test_commands_of_a_checkout_say_so_in_an_installed_package(installed: Path, words: tuple[str, ...]) -> None:
    done = run(*words, environment={"PYTHONPATH": str(installed)}, cwd=installed)

    assert done.returncode == 1
    assert done.stderr == (
        "This command works in a checkout only: clone the repository and run ./penguinmails there.\n"
    )
