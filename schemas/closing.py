"""Closing a month: the cut it is billed by, its figures so far, and how its numbers compare."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any, Protocol

from schemas.quota import WindowKind
from schemas.tables import ArrowStream
from schemas.vector import Vector

_COUNTER = attrgetter("tenant", "meter", "window_kind", "window_start_ms")
"""What tells counters apart, and their order."""


class ClosingState(StrEnum):
    """Where a month's closing stands.

    `awaiting`: the log's ends are remembered, landing and counters have not reached them yet.
    `open`: it may be computed again, with the same cut. `closed`: it never changes.
    """

    AWAITING = "awaiting"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Closing:
    """A month being billed as of a vector, at a price list version and a code version.

    While it is awaited, the vector holds the log's ends as they were when it was first asked for.

    `without_counters` holds the reason when the month is closed without their comparison.
    """

    month: str
    vector: Vector
    catalog_version: int
    code_version: str
    opened_ms: int
    state: ClosingState = ClosingState.OPEN
    without_counters: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class CounterComparison:
    """A tenant's counter beside the warehouse, both as of one position in the log.

    Quantities in 1e-6 units. `beyond_window_micro` is what the counter must differ by, an explained
    class and no difference: repeats that it could not know of any more and counted again. It is
    less than nothing where an id came in two months: both store it, one counted it.
    """

    tenant: str
    meter: str
    window_kind: WindowKind
    window_start_ms: int
    counter_micro: int
    warehouse_micro: int
    beyond_window_micro: int

    @property
    def difference_micro(self) -> int:
        """What nothing explains; zero when both are right."""
        return self.counter_micro - self.warehouse_micro - self.beyond_window_micro


class Rows(ArrowStream, Protocol):
    """A table that can be read row by row."""

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows by column name."""


@dataclass(frozen=True, slots=True)
class CountersCompared:
    """Counters of one moment beside the warehouse, in any order.

    `table` holds them (`schemas.tables.COUNTER_COLUMNS`). `behind` are the records by which landing
    had not yet come as far as they, by partition of the live topic: the counters there that it did
    not cover were not compared.
    """

    table: Rows
    behind: Mapping[int, int]

    @property
    def rows(self) -> tuple[CounterComparison, ...]:
        """The same as records, by tenant, meter and window, for whoever looks at a few."""
        found = (CounterComparison(**row) for row in self.table.to_pylist())
        return tuple(sorted(found, key=_COUNTER))

    @property
    def differing(self) -> list[CounterComparison]:
        """Those that nothing explains."""
        return [row for row in self.rows if row.difference_micro]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A tenant's three figures for a meter and month, and why it is held, if it is.

    `billed_micro` is what the invoice's lines add up to, `unpriced_micro` what fell outside any
    subscription; together they must be the warehouse's figure.
    """

    tenant: str
    meter: str
    counter_micro: int | None
    warehouse_micro: int
    beyond_window_micro: int
    billed_micro: int
    unpriced_micro: int
    held: str | None
