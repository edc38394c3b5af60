"""A month's figures are replaced as a whole, whatever is killed in between."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.tables import USAGE_COLUMNS
from schemas.vector import Vector
from stores.ledger import Ledger
from stores.ledger.connection import reading, writing
from stores.ledger.months import column_slices
from stores.ledger.months.month_slices import usage_slice
from stores.ledger.tables.closing_tables import slice_chunks
from tests.unit.stores.ledger.builders import (
    MONTH,
    a_closing,
    a_draft,
    finalized,
    line_table,
    reconciled,
    rows_of,
    usage_table,
)

FIRST = usage_table(("acme", "tokens", 1, 7, 2), ("bolt", "tokens", 0, 5, 1))
SECOND = usage_table(("acme", "tokens", 0, 9, 3))


class Killed(Exception):
    """Stands for kill -9 between two writes."""


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One tenant a transaction."""
    monkeypatch.setattr(column_slices, "CHUNK_ROWS", 1)


def stored(ledger: Ledger) -> int:
    with reading(ledger._engine) as connection:
        count = sa.select(sa.func.coalesce(sa.func.sum(slice_chunks.c.row_count), 0))
        return int(connection.execute(count).scalar_one())


def test_a_closing_is_read_as_it_was_saved(ledger: Ledger) -> None:
    assert ledger.closing(MONTH) is None
    closing = a_closing(vector=Vector({(1, 0): 5, (2, 3): 9}), without_counters="they were down")
    ledger.save_closing(closing)
    assert ledger.closing(MONTH) == closing
    ledger.save_closing(replace(closing, code_version="0.2.0"))
    assert ledger.closing(MONTH) == replace(closing, code_version="0.2.0")


def test_a_closing_needs_a_price_list_that_was_applied(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no version 3 of the price list"):
        ledger.save_closing(a_closing(catalog_version=3))


def test_nothing_of_a_closed_month_can_be_replaced(ledger: Ledger) -> None:
    finalized(ledger, a_draft("acme"))
    closing = ledger.closing(MONTH)
    assert closing is not None
    assert closing.state is ClosingState.CLOSED
    with pytest.raises(Conflict, match="2026-10 is closed"):
        ledger.save_closing(a_closing())
    with pytest.raises(Conflict, match="2026-10 is closed"):
        ledger.replace_usage(MONTH, FIRST)
    with pytest.raises(Conflict, match="2026-10 is closed"):
        ledger.replace_lines(MONTH, "charges", line_table())
    with pytest.raises(Conflict, match="2026-10 is closed"):
        ledger.record_reconciliation(MONTH, reconciled(["acme"]))


def test_usage_is_replaced_as_a_whole_and_read_in_order(ledger: Ledger) -> None:
    assert rows_of(ledger.usage(MONTH)) == []
    for _ in range(2):
        ledger.replace_usage(MONTH, FIRST)
        assert rows_of(ledger.usage(MONTH)) == [
            ("acme", "tokens", 1, "", 7, 2),
            ("bolt", "tokens", 0, "", 5, 1),
        ]
    ledger.replace_usage(MONTH, SECOND)
    assert rows_of(ledger.usage(MONTH)) == [("acme", "tokens", 0, "", 9, 3)]
    assert stored(ledger) == 1


def test_usage_of_a_month_without_any_is_empty(ledger: Ledger) -> None:
    ledger.replace_usage(MONTH, FIRST)
    ledger.replace_usage(MONTH, usage_table())
    assert rows_of(ledger.usage(MONTH)) == []


def test_months_do_not_touch_each_other(ledger: Ledger) -> None:
    ledger.replace_usage(MONTH, FIRST)
    ledger.replace_usage("2026-11", SECOND)
    assert len(rows_of(ledger.usage(MONTH))) == 2


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("killed_after", [0, 1, 2, 3, 4])
def test_killed_between_any_two_transactions_the_old_figures_stand(
    ledger: Ledger, killed_after: int
) -> None:
    ledger.replace_usage(MONTH, SECOND)
    commits = iter(range(99))

    def kill(_connection: sa.Connection) -> None:
        if next(commits) == killed_after:
            raise Killed

    sa.event.listen(ledger._engine, "commit", kill)
    with pytest.raises(Killed):
        ledger.replace_usage(MONTH, usage_table(*[(t, "tokens", 0, 1, 1) for t in "abc"]))
    sa.event.remove(ledger._engine, "commit", kill)
    assert rows_of(ledger.usage(MONTH)) == [("acme", "tokens", 0, "", 9, 3)]
    ledger.replace_usage(MONTH, FIRST)
    assert len(rows_of(ledger.usage(MONTH))) == stored(ledger) == 2


def test_a_stream_that_breaks_leaves_the_old_figures(ledger: Ledger) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield FIRST.to_batches()[0]
        raise Killed

    ledger.replace_usage(MONTH, SECOND)
    with pytest.raises(InvalidInput, match="Killed"):
        ledger.replace_usage(MONTH, pa.RecordBatchReader.from_batches(FIRST.schema, broken()))
    assert rows_of(ledger.usage(MONTH)) == [("acme", "tokens", 0, "", 9, 3)]


def test_of_two_runs_at_once_the_later_one_wins(ledger: Ledger) -> None:
    with writing(ledger._engine) as connection:
        mine = usage_slice(MONTH).marks.begin(connection)
    ledger.replace_usage(MONTH, SECOND)
    with (
        pytest.raises(Conflict, match="the usage of 2026-10 were begun anew meanwhile"),
        writing(ledger._engine) as connection,
    ):
        usage_slice(MONTH).marks.complete(connection, mine, 1)
    assert rows_of(ledger.usage(MONTH)) == [("acme", "tokens", 0, "", 9, 3)]


def test_other_columns_are_refused_by_name(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="has the columns tenant; wanted are tenant, meter"):
        ledger.replace_usage(MONTH, FIRST.select(["tenant"]))


def test_a_number_that_would_lose_digits_is_refused(ledger: Ledger) -> None:
    half = pa.array([0.5], pa.float64())
    columns: dict[str, Any] = dict(zip(USAGE_COLUMNS, SECOND.columns, strict=True))
    with pytest.raises(InvalidInput, match="truncated"):
        ledger.replace_usage(MONTH, pa.table({**columns, "quantity_micro": half}))


def test_lines_keep_their_works_apart_and_prorations_come_first(ledger: Ledger) -> None:
    charges = line_table(("acme", 1, "overage", 12), ("bolt", 1, "overage", 0))
    prorations = line_table(("acme", 1, "base_fee", 4999), ("acme", 2, "proration_credit", -30))
    ledger.replace_lines(MONTH, "charges", charges)
    ledger.replace_lines(MONTH, "prorations", line_table(("acme", 9, "base_fee", 1)))
    ledger.replace_lines(MONTH, "prorations", prorations)
    found = [(row[0], row[4], row[13]) for row in rows_of(ledger.lines(MONTH))]
    assert found == [
        ("acme", "base_fee", 4999),
        ("acme", "proration_credit", -30),
        ("acme", "overage", 12),
        ("bolt", "overage", 0),
    ]


@pytest.mark.usefixtures("small_chunks")
def test_works_in_many_chunks_are_merged_by_subscription(ledger: Ledger) -> None:
    fees = [(tenant, 1, "base_fee", 1) for tenant in "abdf"]
    charges = [(tenant, place, "overage", 2) for tenant in "bcdeg" for place in (1, 2)]
    ledger.replace_lines(MONTH, "prorations", line_table(*fees))
    ledger.replace_lines(MONTH, "charges", line_table(*charges))
    found = [(row[0], row[3], row[4]) for row in rows_of(ledger.lines(MONTH))]
    wanted = sorted([*fees, *charges], key=lambda row: (row[0], row[2] == "overage", row[1]))
    assert found == [row[:3] for row in wanted]


def test_rows_that_are_not_in_order_or_twice_are_refused(ledger: Ledger) -> None:
    rows = [("bolt", "tokens", 0, 1, 1), ("acme", "tokens", 0, 1, 1)]
    for wrong in (rows, [rows[0], rows[0]]):
        with pytest.raises(InvalidInput, match="not in the order of tenant, meter"):
            ledger.replace_usage(MONTH, usage_table(*wrong))


def test_lines_keep_their_nulls_and_types(ledger: Ledger) -> None:
    lines = line_table(("acme", 1, "base_fee", 4999))
    ledger.replace_lines(MONTH, "prorations", lines)
    read = pa.RecordBatchReader.from_stream(ledger.lines(MONTH)).read_all()
    assert read.schema == lines.schema
    assert read.to_pylist() == lines.to_pylist()


def test_a_reconciliation_is_replaced_as_a_whole(ledger: Ledger) -> None:
    ledger.record_reconciliation(MONTH, reconciled(["acme", "bolt"]))
    rows = reconciled(["bolt", "acme"], held={"acme": "counter differs by 3"})
    ledger.record_reconciliation(MONTH, rows)
    assert rows_of(ledger.reconciliation(MONTH)) == rows_of(rows)


def test_a_comparison_of_nothing_is_none(ledger: Ledger) -> None:
    assert not ledger.is_reconciled(MONTH)
    ledger.record_reconciliation(MONTH, reconciled(["acme"]))
    assert ledger.is_reconciled(MONTH)
    ledger.record_reconciliation(MONTH, reconciled([]))
    assert not ledger.is_reconciled(MONTH)
