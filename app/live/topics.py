"""Every fact that can be watched live. An event is a frozen dataclass; its own fields are its payload."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """A fact that happened to one object. `version` is the object's, raised in the UPDATE that made the fact."""

    topic: ClassVar[str]
    object_type: ClassVar[str]

    workspace_id: UUID | None
    object_id: UUID
    version: int
