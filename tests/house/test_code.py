"""The code itself keeps to the house rules that a reader relies on."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("app", "graph", "actors", "db", "migrations")
BANNED_NAMES = {"utils", "helpers", "common", "base", "manager", "misc", "service", "services"}
FILE_LIMIT, FUNCTION_LIMIT = 400, 45


def tracked(*folders: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "--", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split() if name.endswith(".py") and (ROOT / name).is_file()]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_a_file_is_one_noun_and_fits_400_lines() -> None:
    long = [f"{p.relative_to(ROOT)}" for p in tracked(*SOURCES) if p.read_text("utf-8").count("\n") > FILE_LIMIT]

    assert long == []


def test_a_function_fits_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in tracked(*SOURCES)
        for node in functions(path)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LIMIT
    ]

    assert long == []


def test_no_module_is_named_for_what_it_is_not() -> None:
    assert [str(p.relative_to(ROOT)) for p in tracked(*SOURCES, "tests") if p.stem in BANNED_NAMES] == []


def test_nothing_is_imported_inside_a_function() -> None:
    inside = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in tracked(*SOURCES)
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert inside == []


def test_every_module_says_what_lives_in_it() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked(*SOURCES, "tests")
        if path.read_text("utf-8").strip() and ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None
    ]

    assert silent == []


def test_only_queries_and_the_core_of_db_hold_sql() -> None:
    """Every statement stands in db/ (or a migration), where tenancy is checked; nothing else may speak SQL."""
    verbs = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "COPY ")
    allowed = ("app/commands/", "app/embedded/")  # operators' tools: doctor, backup and restore ask the catalog
    found = []

    for path in tracked("app", "graph", "actors"):
        name = str(path.relative_to(ROOT))
        if name.startswith(allowed):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lstrip().startswith(verbs):
                found.append(f"{name}:{node.lineno}")

    assert found == []


@pytest.mark.parametrize("folder", SOURCES)
def test_no_exception_is_swallowed(folder: str) -> None:
    swallowed = []

    for path in tracked(folder):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            is_broad = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            )
            if is_broad and all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body):
                swallowed.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert swallowed == []
