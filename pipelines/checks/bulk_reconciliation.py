"""The comparison of a month's figures for many tenants at once: tables in, a table out.

Its rows are those of `pipelines.checks.reconciliation`, which also makes the few texts that say why
somebody is held; this owns only the speed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.checks.reconciliation import differences, holding
from pipelines.columns.ahead import side_by_side
from pipelines.columns.engine import database
from pipelines.columns.line_parts import AT_ONCE
from pipelines.columns.name_numbers import in_parts, named, number
from pipelines.columns.tables import as_table, rows_of, table_of
from schemas.catalog import Catalog
from schemas.closing import CounterComparison
from schemas.money import TOO_DEAR
from schemas.period import BillingPeriod
from schemas.tables import COUNTER_COLUMNS, RECONCILIATION_COLUMNS

_SQL = files("pipelines") / "sql"
_SEGMENTS = (_SQL / "compare" / "segments.sql").read_text()
_PARTS = (_SQL / "parts.sql").read_text()
_CLAMPED = (_SQL / "clamped.sql").read_text()
_COUNTERS, _UNPRICED, _COMPARE = (
    (_SQL / "compare" / f"{name}.sql").read_text() for name in ("counters", "unpriced", "compare")
)
_PERIOD = {"start_ms": "int64", "end_ms": "int64"}
_PERIODS = {"anchor_day": "int32", **_PERIOD}
_BILLABLE = {"meter": "string", "is_counted": "bool"}
_PRICE_LISTS = {"catalog_version": "int64", "kind": "int32"}
_PRICED = {"kind": "int32", "meter": "string"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What is compared, in any order.

    `counters` (`COUNTER_COLUMNS`) is None when the month is closed without them; `warehouse` and
    `billed` are `TOTAL_COLUMNS`, in `billed` with any number of rows a tenant and meter; `usage`
    is `USAGE_COLUMNS`, `segments` `SEGMENT_COLUMNS`. `too_dear` are the tenants and meters whose
    amounts reach the most that a line says.
    """

    counters: pa.Table | None
    warehouse: pa.Table
    billed: pa.Table
    usage: pa.Table
    segments: pa.Table
    too_dear: Collection[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """By what figures are compared: the month, its price lists, the meters that must have a row.

    `uncounted` are those of the `billable` that counters do not follow.
    """

    month: BillingPeriod
    catalogs: Mapping[int, Catalog]
    billable: Sequence[str]
    uncounted: Collection[str] = ()


def compare(
    figures: Figures, invoiced: pa.ChunkedArray, terms: Terms, at_once: int = AT_ONCE
) -> pa.Table:
    """Every tenant and meter compared (`RECONCILIATION_COLUMNS`), by tenant and meter.

    Every tenant in `invoiced` has a row for each of the billable meters. So many tenants are
    compared together, and two such parts at a time.
    """
    asked, too_dear = {"with_counters": figures.counters is not None}, figures.too_dear
    tables, of_all = _by_tenant(figures, invoiced), _of_all(figures.segments, terms)
    del figures  # whose tables, if nobody else needs them, are let go as they are numbered
    tables |= of_all
    names = number(tables)
    known = {name: tables.pop(name) for name in of_all}

    def compared(part: dict[str, pa.Table]) -> pa.Table:
        with database(part | known, threads=1) as own:
            for script in (_CLAMPED, _SEGMENTS, _PARTS, _UNPRICED, _COUNTERS):
                own.execute(script)
            return own.sql(_COMPARE, params=asked).to_arrow_table()

    parts = in_parts(tables, len(names["tenant"]), at_once)
    found = named(pa.concat_tables(side_by_side(compared, parts)), names)
    return holding(_with_reasons(found), dict.fromkeys(too_dear, TOO_DEAR))


def _by_tenant(figures: Figures, invoiced: pa.ChunkedArray) -> dict[str, pa.Table]:
    counters = figures.counters
    return {
        "invoiced": pa.table({"tenant": pc.unique(invoiced)}),
        "counters": table_of([], COUNTER_COLUMNS) if counters is None else counters,
        "warehouse": figures.warehouse,
        "billed": figures.billed,
        "usage": figures.usage,
        "every": figures.segments,
    }


def _of_all(segments: pa.Table, terms: Terms) -> dict[str, pa.Table]:
    """What is the same for all tenants."""
    billable = [(meter, meter not in terms.uncounted) for meter in terms.billable]
    return {
        "billable": table_of(billable, _BILLABLE),
        "period": table_of([(terms.month.start_ms, terms.month.end_ms)], _PERIOD),
        **price_lists(segments, terms.month, terms.catalogs),
    }


def subscribed_tables(
    segments: pa.Table, month: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> dict[str, pa.Table]:
    """Whose plan is in force when, and the meters that each kind of price list prices."""
    return {"every": segments, **price_lists(segments, month, catalogs)}


def price_lists(
    segments: pa.Table, month: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> dict[str, pa.Table]:
    """The periods by their anchor day, and the meters that each kind of price list prices."""
    kinds = sorted({catalog.priced_meters for catalog in catalogs.values()})
    lists = ((n, kinds.index(each.priced_meters)) for n, each in catalogs.items())
    priced = ((kind, meter) for kind, meters in enumerate(kinds) for meter in meters)
    days = pc.unique(segments["anchor_day"]).to_pylist()
    periods = ((day, BillingPeriod.ending_in(month, day)) for day in days)
    return {
        "periods": table_of(((d, it.start_ms, it.end_ms) for d, it in periods), _PERIODS),
        "price_lists": table_of(lists, _PRICE_LISTS),
        "priced": table_of(priced, _PRICED),
    }


def _with_reasons(found: pa.Table) -> pa.Table:
    """The rows with why each of them holds its tenant, where any does."""
    is_held = found["is_held"].combine_chunks()
    reasons = [_reason(row) for row in rows_of(found.filter(is_held))]
    nothing = pa.nulls(len(found), pa.string())
    held = pc.replace_with_mask(nothing, is_held, pa.array(reasons, pa.string()))
    return as_table(found.append_column("held", held), RECONCILIATION_COLUMNS)


def _reason(row: Mapping[str, Any]) -> str:
    counter, key = None, (row["tenant"], row["meter"])
    if row["read_micro"] is not None:
        read = row["read_micro"], row["stored_micro"], row["beyond_window_micro"]
        counter = CounterComparison(*key, "billing_period", 0, *read)
    figures = row["warehouse_micro"], row["billed_micro"], row["unpriced_micro"]
    return "; ".join(differences(counter, *figures))
