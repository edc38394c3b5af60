"""A fact that counters announced, on its way to a receiver, and what can become of it there."""

from dataclasses import dataclass
from typing import Protocol

import msgspec


class _Announced(msgspec.Struct, frozen=True):
    """What `schemas.quota`'s announcements have in common."""

    id: str
    kind: str
    tenant: str


_decode = msgspec.json.Decoder(_Announced).decode


@dataclass(frozen=True, slots=True)
class Fact:
    """A crossing as its topic has it: `value` is the JSON, `announced_ms` its record's time."""

    id: str
    kind: str
    tenant: str
    announced_ms: int
    value: bytes

    @classmethod
    def of(cls, value: bytes, announced_ms: int) -> "Fact":
        """Read a record's value.

        Raises:
            ValueError, RecursionError: it is not an announcement.
        """
        known = _decode(value)
        return cls(known.id, known.kind, known.tenant, announced_ms, value)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Try again, not before `after_s` seconds have passed if the receiver said so."""

    why: str
    after_s: int | None = None


Outcome = Delivered | Refused | Failed


class Receiver(Protocol):
    """Takes facts. `name` is for people, `group` (a part of) its consumer group's name."""

    @property
    def name(self) -> str: ...
    @property
    def group(self) -> str: ...

    async def take(self, fact: Fact) -> Outcome:
        """Try once."""

    async def close(self) -> None:
        """No fact comes any more."""
