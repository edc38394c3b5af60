"""Three figures for each tenant and meter that must agree: counter, warehouse, invoice.

Pure comparison. A difference holds back the tenant whose it is; what is explained is listed and
holds nobody.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import as_table, rows_of, table_of
from pipelines.rating.rating import priced_meters
from pipelines.segments.segments import parts
from schemas.catalog import Catalog
from schemas.closing import CounterComparison, Reconciliation
from schemas.period import BillingPeriod
from schemas.quantity import MOST_MICRO, TOO_MUCH, clamped, format_micro
from schemas.subscription import Subscription
from schemas.tables import RECONCILIATION_COLUMNS, ArrowStream

Quantities = Mapping[tuple[str, str], int]
"""1e-6 units by (tenant, meter)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is compared. `counters` is None when the month is closed without them."""

    counters: Sequence[CounterComparison] | None
    warehouse: Quantities
    billed: Quantities
    unpriced: Quantities


def table_of_rows(rows: Iterable[Reconciliation]) -> pa.Table:
    """Compared figures as the ledger records them (`RECONCILIATION_COLUMNS`), in their order."""
    return table_of(map(astuple, rows), RECONCILIATION_COLUMNS)


def rows_of_table(stream: ArrowStream) -> list[Reconciliation]:
    """What `table_of_rows` made a table of."""
    rows = rows_of(as_table(stream, RECONCILIATION_COLUMNS))
    return [Reconciliation(**row) for row in rows]


def of_month(
    compared: Iterable[CounterComparison],
    month: BillingPeriod,
    anchored: Mapping[str, BillingPeriod] = MappingProxyType({}),
) -> list[CounterComparison]:
    """The counter of each tenant and meter for the billing period that ends in the month.

    `anchored` are those that are not the month itself. Where there is no such counter, it is what
    the days add up to.
    """
    months: dict[tuple[str, str], CounterComparison] = {}
    days: dict[tuple[str, str], list[CounterComparison]] = {}
    for one in compared:
        key, period = (one.tenant, one.meter), anchored.get(one.tenant, month)
        if one.window_kind == "day" and period.contains(one.window_start_ms):
            days.setdefault(key, []).append(one)
        elif one.window_kind == "billing_period" and one.window_start_ms == period.start_ms:
            months[key] = one
    return [
        months.get(key) or _sum(days[key], anchored.get(key[0], month))
        for key in sorted(months.keys() | days)
    ]


def _sum(days: Sequence[CounterComparison], period: BillingPeriod) -> CounterComparison:
    return CounterComparison(
        days[0].tenant,
        days[0].meter,
        "billing_period",
        period.start_ms,
        clamped(sum(day.counter_micro for day in days)),
        clamped(sum(day.warehouse_micro for day in days)),
        clamped(sum(day.beyond_window_micro for day in days)),
    )


def unpriced_quantities(
    usage: Iterable[Mapping[str, Any]],
    subscriptions: Iterable[Subscription],
    month: BillingPeriod,
    catalogs: Mapping[int, Catalog],
) -> dict[tuple[str, str], int]:
    """Usage (rows of `USAGE_COLUMNS`) that no invoice line bills.

    It is outside any subscription, or of a meter that the subscription's price lists only count.
    """
    found = {s.tenant: parts(s, s.billed_in(month)) for s in subscriptions}
    numbers = {tenant: {part.number for part in own} for tenant, own in found.items()}
    priced = {tenant: priced_meters(own, catalogs) for tenant, own in found.items()}
    unpriced: Counter[tuple[str, str]] = Counter()
    for row in usage:
        tenant, meter = row["tenant"], row["meter"]
        if row["segment"] in numbers.get(tenant, ()) and meter in priced.get(tenant, ()):
            continue
        unpriced[tenant, meter] += row["quantity_micro"]
    return {key: clamped(micro) for key, micro in unpriced.items()}


def compare(
    figures: Figures,
    invoiced: Iterable[str],
    billable: Sequence[str],
    period: BillingPeriod,
    *,
    uncounted: Collection[str] = (),
) -> list[Reconciliation]:
    """Compare every tenant and meter, ordered; each row says why its tenant is held, if it is.

    Every tenant in `invoiced` gets a row for each of the `billable` meters, used or not: finalizing
    asks for it. A `billable` meter without a counter is a counter of zero, unless it is one of
    those that counters do not follow, `uncounted`.
    """
    counted = [meter for meter in billable if meter not in uncounted]
    counters = {(c.tenant, c.meter): c for c in figures.counters or ()}
    keys = {(tenant, meter) for tenant in invoiced for meter in billable}
    keys |= counters.keys() | figures.warehouse.keys() | figures.billed.keys()
    keys |= figures.unpriced.keys()
    return [
        _row(key, figures, counters.get(key) or _no_counter(key, figures, counted, period))
        for key in sorted(keys)
    ]


def _no_counter(
    key: tuple[str, str], figures: Figures, counted: Sequence[str], period: BillingPeriod
) -> CounterComparison | None:
    """What a counter that is not there says: nothing was used. None where none is expected."""
    if figures.counters is None or key[1] not in counted:
        return None
    stored = figures.warehouse.get(key, 0)
    return CounterComparison(*key, "billing_period", period.start_ms, 0, stored, 0)


def _row(
    key: tuple[str, str], figures: Figures, counter: CounterComparison | None
) -> Reconciliation:
    warehouse = figures.warehouse.get(key, 0)
    billed, unpriced = clamped(figures.billed.get(key, 0)), figures.unpriced.get(key, 0)
    reasons = list(differences(counter, warehouse, billed, unpriced))
    return Reconciliation(
        *key,
        counter_micro=None if counter is None else _at_the_cut(counter, warehouse),
        warehouse_micro=warehouse,
        beyond_window_micro=0 if counter is None else counter.beyond_window_micro,
        billed_micro=billed,
        unpriced_micro=unpriced,
        held="; ".join(reasons) or None,
    )


def _at_the_cut(counter: CounterComparison, warehouse: int) -> int:
    """A counter brought back to the closing's cut: it may have read usage that came after it."""
    return clamped(counter.counter_micro - (counter.warehouse_micro - warehouse))


def differences(
    counter: CounterComparison | None, warehouse: int, billed: int, unpriced: int
) -> Iterator[str]:
    """What of a tenant's figures for a meter does not agree, as texts to read."""
    if counter is not None and counter.difference_micro:
        yield (
            f"the counter says {format_micro(counter.counter_micro)}, the warehouse "
            f"{format_micro(counter.warehouse_micro)} and "
            f"{format_micro(counter.beyond_window_micro)} in late repeats"
        )
    if warehouse != billed + unpriced:
        yield (
            f"the warehouse has {format_micro(warehouse)}, the invoice {format_micro(billed)} "
            f"and {format_micro(unpriced)} outside it"
        )
    if MOST_MICRO in (abs(warehouse), abs(billed)):
        yield TOO_MUCH
    if billed < 0:
        yield f"the billed quantity {format_micro(billed)} is negative"


def holding(compared: pa.Table, reasons: Mapping[tuple[str, str], str]) -> pa.Table:
    """The rows (`RECONCILIATION_COLUMNS`) with more reasons, by tenant and meter, to hold."""
    if not reasons:
        return compared
    names = pa.array({tenant for tenant, _ in reasons}, pa.string())
    theirs = pc.is_in(compared["tenant"], value_set=names)
    told = (
        (row["held"], reasons.get((row["tenant"], row["meter"])))
        for row in rows_of(compared.filter(theirs))
    )
    held = pa.array(["; ".join(filter(None, both)) or None for both in told], pa.string())
    place = compared.schema.get_field_index("held")
    return compared.set_column(
        place, "held", pc.replace_with_mask(compared["held"], theirs.combine_chunks(), held)
    )


def held_reasons(rows: Iterable[Reconciliation]) -> dict[str, str]:
    """Why tenants are held, by tenant, naming each meter."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.held:
            reasons.setdefault(row.tenant, []).append(f"{row.meter}: {row.held}")
    return {tenant: "; ".join(texts) for tenant, texts in reasons.items()}


def are_too_many(held: int, count: int, max_held: float) -> bool:
    """Are so many held that the fault is hardly theirs: more than this share of all?

    One alone is not, unless nobody may be: of fifty tenants each is two in a hundred.
    """
    return held > max_held * count and (held > 1 or not max_held)


def telling(rows: pa.Table) -> pa.Table:
    """The rows (`RECONCILIATION_COLUMNS`) by which somebody is held, or something explained."""
    explains = pc.or_(
        pc.not_equal(rows["beyond_window_micro"], 0), pc.not_equal(rows["unpriced_micro"], 0)
    )
    return rows.filter(pc.or_(explains, pc.is_valid(rows["held"])))


def explained(rows: Iterable[Reconciliation]) -> dict[tuple[str, str], int]:
    """What is no difference, in 1e-6 units by (cause, meter).

    `beyond_window` are repeats that a counter could not know of, `unpriced` is what no invoice
    bills.
    """
    totals: Counter[tuple[str, str]] = Counter()
    for row in rows:
        totals["beyond_window", row.meter] += row.beyond_window_micro
        totals["unpriced", row.meter] += row.unpriced_micro
    return {key: micro for key, micro in totals.items() if micro}
