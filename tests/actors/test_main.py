"""Every job of the product has its handler, and every handler's queue is a queue that the relay serves."""

import importlib
import pkgutil
from typing import Any

import actors
import app
from actors.core.handler import gather_handlers
from actors.main import QUEUE_SHARES, all_handlers
from app.jobs.job import Job, spec_of


def declared_jobs() -> dict[str, type[Job]]:
    """Of every module app/<domain>/*, by name."""
    found: dict[str, type[Job]] = {}
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.startswith(("app.cli", "app.commands", "app.main", "app.seed", "app.demo", "app.embedded")):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if _is_job(value):
                found[spec_of(value).name] = value
    return found


def _is_job(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Job) and value is not Job


def test_every_job_has_exactly_one_handler() -> None:
    assert all_handlers().names == tuple(sorted(declared_jobs()))


def test_every_share_is_of_a_queue_and_leaves_room() -> None:
    assert set(QUEUE_SHARES) <= set(all_handlers().queues)
    assert all(0 < share < 1 for share in QUEUE_SHARES.values())


def test_a_job_name_says_noun_and_verb_and_its_lease_covers_its_timeout() -> None:
    for name, kind in declared_jobs().items():
        spec = spec_of(kind)
        assert name.count(".") == 1, name
        assert spec.attempts >= 1, name
        assert spec.timeout_seconds > 0, name
        assert len(spec.queue) <= 40, name


def test_modules_that_are_left_out_are_not_imported() -> None:
    handlers = gather_handlers(actors, but=("actors.core", "actors.main", "actors.outreach", "actors.identity"))

    assert "tenant.maintain" in handlers.names
    assert len(handlers.names) < len(all_handlers().names)
