"""What a process has been given: settings, clock, cipher, Redis, and the implementations chosen by wiring."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis.asyncio import Redis

from app.core.clock import Clock
from app.core.hints import Hints
from app.core.secrets import Cipher
from app.core.settings import Settings

Port = TypeVar("Port")


@dataclass(frozen=True, slots=True)
class Resources:
    """Handed down with every caller; nothing below wiring makes its own."""

    settings: Settings
    clock: Clock
    cipher: Cipher
    redis: Redis
    ports: Mapping[type[Any], Any] = field(default_factory=dict)
    hints: Hints = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hints", Hints(self.redis))

    def port(self, kind: type[Port]) -> Port:
        """The implementation of a domain's Protocol class. Raises LookupError when wiring chose none."""
        try:
            return self.ports[kind]  # type: ignore[no-any-return]
        except KeyError:
            raise LookupError(f"wiring gave no implementation of {kind.__name__}") from None
