"""Ids of events that came in two months: what is told of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RepeatedIds:
    """A tenant's ids that came in a month and in another one, `2026-11`; each counts them.

    `source` and `id` name one of them.
    """

    tenant: str
    other_month: str
    ids: int
    source: str
    id: str
