"""Where the checkout is, for the commands that make sense only there."""

from pathlib import Path

from app.commands.failure import CommandFailed


def checkout_root() -> Path:
    """Raises CommandFailed in an installed package, which has neither tests nor tools."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").is_file() or not (root / "tests").is_dir():
        raise CommandFailed("This command works in a checkout only: clone the repository and run ./penguinmails there.")
    return root
