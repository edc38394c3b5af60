"""Moving subscriptions to another price list, as it would be: which plan each would have there.

Owns what a draft must hold so that history can be priced by it. Nothing is written.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import as_table
from pipelines.segments.billed_segments import are_told
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.tables import SEGMENT_COLUMNS

_DEFINED_BY = ("event_type", "aggregation", "value", "filter", "priced_by")


def repriced(
    segments: pa.Table,
    month: BillingPeriod,
    draft: Catalog,
    version: int,
    renamed: Mapping[str, str],
) -> pa.Table:
    """The segments (`SEGMENT_COLUMNS`), those that a month's invoices may tell of by the draft.

    A plan keeps its name, or takes the one that `renamed` gives it.

    Raises:
        InvalidInput: a plan or currency is not in the draft; the text says the remedy.
    """
    moved = _moved(segments, month, version, renamed)
    _ensure_plans(moved, draft, version, renamed)
    _ensure_currencies(moved, draft)
    return moved


def ensure_metered(draft: Catalog, history: Catalog) -> None:
    """Whatever the draft prices was metered then, and means the same.

    Raises:
        InvalidInput: a meter is new or defined otherwise, so history has no quantities of it.
    """
    for name in draft.priced_meters:
        known = history.meters.get(name)
        if known is None:
            told = f"the draft prices {name}, which history has no usage of"
            raise InvalidInput(f"{told}; leave it out of the draft's plans")
        if differs := _differs(draft.meters[name], known):
            told = f"the draft defines {differs} of {name} otherwise than history metered it"
            raise InvalidInput(f"{told}; simulate with the definition in force")


def _moved(
    segments: pa.Table, month: BillingPeriod, version: int, renamed: Mapping[str, str]
) -> pa.Table:
    is_told, plans = are_told(segments, month), segments["plan"]
    known = pc.unique(plans)
    names = pa.array([renamed.get(each, each) for each in known.to_pylist()], pa.string())
    moved = names.take(pc.index_in(plans, value_set=known))
    changed = {
        "plan": pc.if_else(is_told, moved, plans),
        "catalog_version": pc.if_else(is_told, version, segments["catalog_version"]),
    }
    return as_table(
        pa.table({each: changed.get(each, segments[each]) for each in SEGMENT_COLUMNS}),
        SEGMENT_COLUMNS,
    )


def _ensure_plans(
    moved: pa.Table, draft: Catalog, version: int, renamed: Mapping[str, str]
) -> None:
    for old, new in renamed.items():
        if new not in draft.plans:
            raise InvalidInput(f"--map {old}={new}: the draft has {', '.join(draft.plans)}")
    own = moved.filter(pc.equal(moved["catalog_version"], version))
    for plan, count in _counts(own, "plan").items():
        if plan not in draft.plans:
            who = _who(count, "has", "have")
            plans = ", ".join(draft.plans)
            raise InvalidInput(
                f"{who} the plan {plan}, which the draft lacks; say what they would have by "
                f"--map {plan}=PLAN, one of {plans}"
            )


def _ensure_currencies(moved: pa.Table, draft: Catalog) -> None:
    for currency, count in _counts(moved, "currency").items():
        if currency not in draft.currencies:
            who = _who(count, "pays", "pay")
            told = f"{who} in {currency}, in which the draft has no prices"
            raise InvalidInput(f"{told}; add them, nothing is converted")


def _counts(segments: pa.Table, column: str) -> dict[str, int]:
    """How many subscriptions have each of a column's values, in order."""
    each = segments.group_by([column, "subscription"]).aggregate([])
    counted = each.group_by(column).aggregate([([], "count_all")]).sort_by(column)
    return dict(zip(counted[column].to_pylist(), counted["count_all"].to_pylist(), strict=True))


def _who(count: int, one: str, many: str) -> str:
    return f"1 tenant {one}" if count == 1 else f"{count:,} tenants {many}"


def _differs(draft: Meter, known: Meter) -> str:
    """Which parts of the definition are not the same, as text; '' when all are."""
    return ", ".join(it for it in _DEFINED_BY if getattr(draft, it) != getattr(known, it))
