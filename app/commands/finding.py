"""What `doctor` finds, one sentence each."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """OK; NOTE is worth knowing; WRONG makes `doctor` exit with 1."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    health: Health
    sentence: str


def ok(sentence: str) -> Finding:
    return Finding(Health.OK, sentence)


def note(sentence: str) -> Finding:
    return Finding(Health.NOTE, sentence)


def wrong(sentence: str) -> Finding:
    return Finding(Health.WRONG, sentence)
