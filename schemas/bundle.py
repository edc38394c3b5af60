"""What is told of a month's bundle: its files, and of the run what is no part of its result."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a bundle as it lies on disk. `rows` is None of a text."""

    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """By whose word, and why, a tenant's invoice was let go, or `every draft` was."""

    tenant: str
    who: str
    why: str
    at: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What another run of the same month need not repeat: clocks, durations, people.

    `seconds` are those of the run's steps, by step; empty where no run is known.
    """

    written_at: str
    issued_at: str | None
    seconds: Mapping[str, float]
    approved: tuple[Approval, ...]
