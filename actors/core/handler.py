"""Which function does which job: declared beside the function, gathered once by the worker, exactly one per job."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from app.core.caller import Caller
from app.jobs.job import Job, spec_of

JobType = TypeVar("JobType", bound=Job)
Handler = Callable[[Caller, JobType], Awaitable[None]]

_MARK = "_handles_job"


class HandlersMistaken(TypeError):
    """Two handlers for one job, or two jobs of one name."""


def handles(kind: type[JobType]) -> Callable[[Handler[JobType]], Handler[JobType]]:
    """Marks `async def send_due(caller, job)` as what does this kind of job. Raises AttributeError without @job."""
    spec_of(kind)

    def declare(handler: Handler[JobType]) -> Handler[JobType]:
        setattr(handler, _MARK, kind)
        return handler

    return declare


@dataclass(frozen=True, slots=True)
class Handled:
    kind: type[Job]
    run: Handler[Any]


class Handlers:
    """Handlers by the name of their job."""

    def __init__(self, functions: Iterable[Callable[..., Any]]) -> None:
        """From functions marked by @handles; unmarked ones are passed over. Raises HandlersMistaken."""
        self._by_name: dict[str, Handled] = {}
        for function in dict.fromkeys(functions):
            kind = getattr(function, _MARK, None)
            if kind is None:
                continue
            name = spec_of(kind).name
            if name in self._by_name:
                raise HandlersMistaken(f"{name} is handled twice, once by {function.__module__}.{function.__name__}")
            self._by_name[name] = Handled(kind, function)

    def of(self, name: str) -> Handled:
        """Raises LookupError: after a deploy that is not yet complete, another worker may know the job."""
        try:
            return self._by_name[name]
        except KeyError:
            raise LookupError(f"this worker has no handler for {name}") from None

    @property
    def queues(self) -> tuple[str, ...]:
        return tuple(sorted({spec_of(each.kind).queue for each in self._by_name.values()}))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._by_name))


def gather_handlers(package: ModuleType, *, but: Iterable[str] = ()) -> Handlers:
    """Imports every module below `package` but those in or below `but` (full names). Raises HandlersMistaken."""
    left_out = tuple(but)
    functions: list[Callable[..., Any]] = []
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if any(found.name == name or found.name.startswith(name + ".") for name in left_out):
            continue
        module = importlib.import_module(found.name)
        functions += [value for value in vars(module).values() if callable(value)]
    return Handlers(functions)
