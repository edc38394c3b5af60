"""A month's usage comes in one order, and each tenant's is of the period it is billed for."""

from typing import Any, cast

import pyarrow as pa

from pipelines.usage.usage_reading import bounds_of, read_totals, read_usage
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.tables import TOTAL_COLUMNS
from schemas.vector import Vector
from tests.builders import OCTOBER, llm_tokens, usage_table

SIXTEENTH = BillingPeriod(OCTOBER.start_ms - 86_400_000 * 15, OCTOBER.start_ms + 86_400_000 * 15)
METERS = [llm_tokens().meters["tokens"].model_copy(update={"name": name}) for name in "ct"]


class Shuffled:
    """A reader that answers in no order; what it says of a period is its number of rows."""

    def usage(
        self, month: BillingPeriod, as_of: Vector, bounds: pa.Table, *asked: Any, **chosen: bool
    ) -> pa.Table:
        quantity = 1 if month == OCTOBER else 2
        is_bounded = chosen.get("only_bounded", False)
        names = bounds["tenant"].to_pylist() if is_bounded else ("own", "b", "a")
        rows = [(t, m, s, "", quantity, 1) for s in (1, 0) for t in names for m in ("t", "c")]
        return usage_table(rows)

    def totals(self, *asked: Any) -> pa.Table:
        month, as_of, meters, *tenants = asked
        named = bounds_of({each: () for own in tenants for each in own})
        added = self.usage(month, as_of, named, meters, only_bounded=bool(tenants))
        names = list(TOTAL_COLUMNS)
        return (
            added.group_by(names[:2], use_threads=False)
            .aggregate([("quantity_micro", "sum")])
            .rename_columns(names)
        )


READER = cast(UsageReader, Shuffled())


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in table.column_names[:3]), strict=True))


def test_usage_comes_in_order() -> None:
    found = rows(read_usage(READER, OCTOBER, Vector(), bounds_of({}), METERS, {}))
    assert found == sorted(found)
    assert len(found) == 12


def test_meters_that_are_not_asked_for_are_left_out() -> None:
    usage = read_usage(READER, OCTOBER, Vector(), bounds_of({}), METERS[:1], {})
    totals = read_totals(READER, OCTOBER, Vector(), METERS[:1], {})
    assert {meter for _, meter, _ in rows(usage) + rows(totals)} == {"c"}


def test_a_tenant_with_an_anchor_has_its_own_period() -> None:
    table = read_usage(READER, OCTOBER, Vector(), bounds_of({}), METERS, {"own": SIXTEENTH})
    assert rows(table) == sorted(rows(table))
    by_tenant = {row["tenant"]: row["quantity_micro"] for row in table.to_pylist()}
    assert by_tenant == {"a": 1, "b": 1, "own": 2}


def test_totals_come_by_the_same_periods() -> None:
    found = rows(read_totals(READER, OCTOBER, Vector(), METERS, {"own": SIXTEENTH}))
    assert sorted(found) == [
        (t, m, 4 if t == "own" else 2) for t in ("a", "b", "own") for m in ("c", "t")
    ]
