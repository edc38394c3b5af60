"""Counter, warehouse and invoice of a month beside each other, and the cause of each difference.

Pure: what the three say is read elsewhere. Five causes: `late` is landed and not on an invoice yet,
`duplicate` was counted again beyond the counters' window, `in_flight` is landed and not counted
yet, `void` was on an invoice that somebody made void without another in its place, and `lost` is
what nothing explains.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.checks.reconciliation import Quantities
from schemas.closing import CounterComparison
from schemas.invoice import USAGE_KINDS, Invoice, month_billed
from schemas.quantity import clamped

CAUSES = ("late", "duplicate", "in flight", "void", "lost")

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ThreeWay:
    """What the three say of a tenant's meter, in 1e-6 units; None without a counter or invoice.

    counter = warehouse − in flight + duplicate + lost, and
    invoice = warehouse − late − void − lost where the month is billed.
    """

    tenant: str
    meter: str
    counter_micro: int | None
    warehouse_micro: int
    invoiced_micro: int | None
    late_micro: int
    duplicate_micro: int
    in_flight_micro: int
    void_micro: int
    lost_micro: int

    @property
    def by_cause(self) -> dict[str, int]:
        """What each of `CAUSES` explains of its differences."""
        return {
            "late": self.late_micro,
            "duplicate": self.duplicate_micro,
            "in flight": self.in_flight_micro,
            "void": self.void_micro,
            "lost": self.lost_micro,
        }

    @property
    def causes(self) -> list[str]:
        """The causes of its differences, in the order in which they are told."""
        return [cause for cause, micro in self.by_cause.items() if micro]


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read: the warehouse now and as of the closing's cut, counters, and the billed.

    `billed` holds invoices, corrections and what no invoice bills, by (tenant, meter); it and
    `at_cut` are None while the month is not billed. `void` was billed and is no more.
    """

    now: Quantities
    counters: Sequence[CounterComparison]
    at_cut: Quantities | None = None
    billed: Quantities | None = None
    void: Quantities = field(default_factory=dict)


def three_way(readings: Readings) -> list[ThreeWay]:
    """Every tenant and meter that any of the three names, in order."""
    counters = {(each.tenant, each.meter): each for each in readings.counters}
    keys = {*readings.now, *counters, *(readings.billed or ())}
    return [_row(key, readings, counters.get(key)) for key in sorted(keys)]


def _row(key: Key, readings: Readings, counter: CounterComparison | None) -> ThreeWay:
    now = readings.now.get(key, 0)
    late, invoiced, unbilled = _beside_invoice(key, readings)
    duplicate = in_flight = uncounted = 0
    if counter is not None:
        duplicate, uncounted = counter.beyond_window_micro, counter.difference_micro
        in_flight = now - counter.warehouse_micro
    return ThreeWay(
        *key,
        counter_micro=None if counter is None else counter.counter_micro,
        warehouse_micro=now,
        invoiced_micro=invoiced,
        late_micro=late,
        duplicate_micro=duplicate,
        in_flight_micro=in_flight,
        void_micro=readings.void.get(key, 0),
        lost_micro=unbilled or uncounted,
    )


def _beside_invoice(key: Key, readings: Readings) -> tuple[int, int | None, int]:
    """What is late, what is billed, and what of the cut's usage no invoice has.

    Corrections bill usage that lies beyond the cut; what of it they have not billed yet is late.
    """
    if readings.billed is None or readings.at_cut is None:
        return 0, None, 0
    now, billed = readings.now.get(key, 0), readings.billed.get(key, 0)
    beyond = now - readings.at_cut.get(key, 0)
    missing = now - billed - readings.void.get(key, 0)
    late = missing if beyond and abs(missing) <= abs(beyond) else beyond
    return late, billed, missing - late


def billed_with_corrections(
    invoices: Iterable[Invoice], month: str, unpriced: Mapping[Key, int]
) -> dict[Key, int]:
    """A month's quantities: on its invoices, in corrections of it, and outside any invoice."""
    billed = dict(unpriced)
    for invoice in invoices:
        for line in invoice.lines:
            is_own = invoice.month == month and line.kind in USAGE_KINDS
            is_correction = line.kind == "correction" and month_billed(line) == month
            if line.meter is not None and (is_own or is_correction):
                key = invoice.tenant, line.meter
                billed[key] = billed.get(key, 0) + (line.quantity_micro or 0)
    return {key: clamped(micro) for key, micro in billed.items()}
