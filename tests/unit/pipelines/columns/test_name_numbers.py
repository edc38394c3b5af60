"""Names as numbers in their order, and tables in parts by them."""

from itertools import pairwise

import pyarrow as pa
import pytest

from pipelines.columns.name_numbers import Names, in_parts, named, number

FEW = pa.table({"tenant": ["b", "d"]})
MANY = pa.table({"tenant": ["d", "a", "b", "c", "a"], "meter": ["t", None, "c", "c", "t"]})


def numbered(tables: dict[str, pa.Table]) -> tuple[dict[str, pa.Table], Names]:
    own = dict(tables)
    return own, number(own)


def test_numbers_are_in_the_order_of_all_names_and_no_name_has_none() -> None:
    own, names = numbered({"few": FEW, "many": MANY})
    assert {column: its.to_pylist() for column, its in names.items()} == {
        "tenant": ["a", "b", "c", "d"],
        "subscription": [],
        "meter": ["c", "t"],
    }
    assert own["few"]["tenant"].to_pylist() == [1, 3]
    assert own["many"]["tenant"].to_pylist() == [3, 0, 1, 2, 0]
    assert own["many"]["meter"].to_pylist() == [1, None, 0, 0, 1]
    assert named(own["many"], names).to_pylist() == MANY.to_pylist()


def test_a_table_without_rows_has_numbers_too() -> None:
    own, names = numbered({"nothing": FEW.slice(0, 0), "few": FEW})
    assert own["nothing"]["tenant"].type == own["few"]["tenant"].type == pa.int32()
    assert [part["nothing"].num_rows for part in in_parts(own, 2, 1)] == [0, 0]
    assert names["tenant"].to_pylist() == ["b", "d"]


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_every_tenant_is_in_one_part_and_parts_rise(at_once: int) -> None:
    own, names = numbered({"few": FEW, "many": MANY})
    parts = list(in_parts(own, len(names["tenant"]), at_once))
    assert own == {}
    assert len(parts) == -(-4 // at_once)
    for name, table in (("few", FEW), ("many", MANY)):
        together = named(pa.concat_tables([part[name] for part in parts]), names)
        assert sorted(map(str, together.to_pylist())) == sorted(map(str, table.to_pylist()))
    tenants = [
        {*part["few"]["tenant"].to_pylist(), *part["many"]["tenant"].to_pylist()} for part in parts
    ]
    assert all(max(one) < min(other) for one, other in pairwise(tenants))
