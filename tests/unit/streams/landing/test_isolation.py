"""A record that the warehouse refuses is put aside alone; a warehouse in trouble loses nothing."""

from collections.abc import Sequence

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from streams.landing.batches import Record
from streams.landing.isolation import Isolation, tells_of_a_value
from tests.unit.streams.landing.test_batches import ARecord

VIOLATED = DatabaseError("Received ClickHouse exception, code: 469, server response: Code: 469.")


class ATable:
    """Stores records, but refuses an insert that has one of these offsets."""

    def __init__(self, *refused: int, failure: DatabaseError = VIOLATED) -> None:
        self.refused = set(refused)
        self.failure = failure
        self.stored: list[int] = []
        self.inserts = 0

    def insert(self, records: Sequence[Record]) -> None:
        self.inserts += 1
        offsets = [record.offset() for record in records]
        if self.refused.intersection(offsets):
            raise self.failure
        self.stored += offsets


def records(count: int) -> list[ARecord]:
    return [ARecord(at, b"{}") for at in range(count)]


@pytest.mark.parametrize("refused", [(), (0,), (99,), (3, 4), (0, 50, 99)])
def test_all_but_the_refused_records_are_stored_once(refused: tuple[int, ...]) -> None:
    table = ATable(*refused)
    put_aside = Isolation(table.insert).store(records(100))
    assert sorted(table.stored) == [n for n in range(100) if n not in refused]
    assert [one.offset for one in put_aside] == list(refused)
    assert {one.rejection.reason for one in put_aside} <= {"not_storable"}
    assert table.inserts < 60


def test_a_record_alone_is_not_known_to_be_the_reason() -> None:
    with pytest.raises(DatabaseError):
        Isolation(ATable(0).insert).store(records(1))


def test_when_nothing_can_be_stored_no_record_is_put_aside() -> None:
    table = ATable(*range(1000))
    with pytest.raises(DatabaseError):
        Isolation(table.insert).store(records(1000))
    assert table.inserts < 40


def test_a_trouble_of_the_warehouse_is_no_record_s() -> None:
    full = DatabaseError("Received ClickHouse exception, code: 241, server response: Code: 241.")
    with pytest.raises(DatabaseError):
        Isolation(ATable(3, failure=full).insert).store(records(8))
    assert tells_of_a_value(VIOLATED)
    assert not tells_of_a_value(full)
    assert not tells_of_a_value(ValueError("code: 469"))
