"""A stored delivery is judged again as it was sent, and keeps its place in the log."""

import pytest

from schemas.period import parse_instant
from streams.rebuild.refill import Refill, Stored
from tests.unit.streams.builders import a_catalog

TIME = "2026-10-10T00:00:00.250Z"


def stored(**changes: object) -> Stored:
    values = {
        "tenant": "ünï",
        "source": 'a "source"',
        "id": "1",
        "type": "llm",
        "time_ms": parse_instant(TIME),
        "data": '{"n": 2.000001, "deep": {"x": [1]}}',
        "repeated": False,
        "partition": 3,
        "epoch": 1,
        "offset": 40,
        "item": 2,
        "arrived_ms": 5,
        "sent_ms": None,
    }
    return Stored(**{**values, **changes})  # type: ignore[arg-type]


def test_a_delivery_keeps_its_place_and_gets_all_meters() -> None:
    refill = Refill(a_catalog())
    [table] = refill.tables([stored(), stored(item=3, repeated=True)])
    first, second = table.to_pylist()
    assert (first["tenant"], first["source"], first["id"]) == ("ünï", 'a "source"', "1")
    assert first["data"].decode() == stored().data
    assert first["meters"] == ["tokens", "calls"]
    assert [str(quantity) for quantity in first["quantities"]] == ["2.000001", "1.000000"]
    assert (first["partition"], first["item"], first["repeated"]) == (3, 2, False)
    assert (second["item"], second["repeated"]) == (3, True)
    assert ~first["ver"] & (2**48 - 1) == 40
    assert refill.deliveries == 2


def test_each_epoch_is_a_table_of_its_own() -> None:
    refill = Refill(a_catalog())
    tables = list(refill.tables([stored(epoch=2), stored(), stored(epoch=2, offset=41)]))
    assert [table.num_rows for table in tables] == [1, 2]


@pytest.mark.parametrize("data", ['{"m": 1}', '{"n": "many"}'])
def test_what_would_not_be_admitted_today_stays_as_it_is(data: str) -> None:
    refill = Refill(a_catalog())
    assert list(refill.tables([stored(data=data)])) == []
    assert refill.deliveries == 0
