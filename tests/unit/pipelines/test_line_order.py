"""Lines come in the order of their places, however they were made."""

import pyarrow as pa

from pipelines.line_order import in_order


def placed(**places: int) -> pa.Table:
    columns = {"kind": pa.array(places, "str"), "place": pa.array(places.values(), pa.int64())}
    return pa.table(columns)


def test_lines_are_sorted_and_those_of_one_place_stay_as_they_are() -> None:
    these, those = placed(d=40, b=20, c=21), placed(f=50, e=50, a=10)
    columns_turned_around = those.select(["place", "kind"])
    found = in_order(these, columns_turned_around, by="place")
    assert found.equals(placed(a=10, b=20, c=21, d=40, f=50, e=50))


def test_there_may_be_none_of_either() -> None:
    for one, other in ((placed(a=1), placed()), (placed(), placed(a=1))):
        assert in_order(one, other, by="place").equals(placed(a=1))
    assert in_order(placed(), placed(), by="place").equals(placed())
