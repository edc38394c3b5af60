"""What is sent, with what must become of it: the only thing that traffic and truth share.

A message says how each of its elements is meant, so that the truth never has to read JSON as the
product does.
"""

from dataclasses import dataclass
from typing import NamedTuple

ITEMS = 1_000
"""More elements than any message has: (message, item) is kept as one number."""


class Identity(NamedTuple):
    """What an event is for ever: a second one with the same identity is a repeat."""

    tenant: str
    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Usage:
    """A well-formed element: what it is, when it happened, and what each meter makes of it.

    `values` are in 1e-6 units; `members` are what unique meters tell apart.
    """

    identity: Identity
    type: str
    time_ms: int
    values: dict[str, int]
    members: dict[str, str]


@dataclass(frozen=True, slots=True)
class Malformed:
    """An element that must be rejected: for which reason, and its bytes as the letter has them."""

    reason: str
    element: bytes


Element = Usage | Malformed


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, in the order of sending within its partition; `number` travels in a header."""

    number: int
    partition: int
    elements: tuple[Element, ...]


def place(number: int, item: int) -> int:
    """A message's number and an element's index in it, as one number."""
    return number * ITEMS + item
