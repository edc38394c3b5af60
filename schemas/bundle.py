"""What is told of a month's bundle: its files, and of the run what is no part of its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["gate", "warning"]
"""Does a finding stop a month or hold a tenant, or is it worth a look?"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a month says; `passed` is None where it could not run, with the reason."""

    severity: Severity
    passed: bool | None
    findings: tuple[str, ...]


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

    `seconds` are those of the run's steps, by step; empty where no run is known. `checks` are those
    that look at other months, which go on.
    """

    written_at: str
    issued_at: str | None
    seconds: Mapping[str, float]
    approved: tuple[Approval, ...]
    checks: Mapping[str, Verdict] = field(default_factory=dict)
