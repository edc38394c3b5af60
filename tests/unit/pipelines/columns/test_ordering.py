"""Rows come in the order of their columns, however they were made."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.columns.ordering import in_order, merged

NAMES = st.text("ab\u00e9\U0001f600", max_size=2)
ROWS = st.lists(st.tuples(NAMES, st.integers(-3, 3)), max_size=20)


def placed(**places: int) -> pa.Table:
    columns = {"kind": pa.array(places, "str"), "place": pa.array(places.values(), pa.int64())}
    return pa.table(columns)


def numbered(rows: list[tuple[str, int]]) -> pa.Table:
    names, numbers = zip(*rows, strict=True) if rows else ((), ())
    columns = {"name": pa.array(names, "str"), "number": pa.array(numbers, pa.int32())}
    return pa.table({**columns, "came": pa.array(range(len(rows)), pa.int64())})


@given(ROWS)
def test_rows_are_ordered_as_arrow_orders_them(rows: list[tuple[str, int]]) -> None:
    table = numbered(rows)
    wanted = table.sort_by([(name, "ascending") for name in ("name", "number", "came")])
    assert in_order(table, ("name", "number")).equals(wanted)


def test_more_different_rows_than_fit_into_64_bits_are_told_apart() -> None:
    steps = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
    columns = {f"by {step}": [row * step % 300 for row in range(300)] for step in steps}
    table = pa.table({"first": [row % 2 for row in range(300)], **columns})
    order = [(name, "ascending") for name in table.column_names]
    assert in_order(table, table.column_names).equals(table.sort_by(order))


def test_two_tables_become_one_and_equal_places_stay_as_they_are() -> None:
    these, those = placed(d=40, b=20, c=21), placed(f=50, e=50, a=10)
    columns_turned_around = those.select(["place", "kind"])
    found = merged(these, columns_turned_around, by="place")
    assert found.equals(placed(a=10, b=20, c=21, d=40, f=50, e=50))


def test_there_may_be_none_of_either() -> None:
    for one, other in ((placed(a=1), placed()), (placed(), placed(a=1))):
        assert merged(one, other, by="place").equals(placed(a=1))
    assert merged(placed(), placed(), by="place").equals(placed())
