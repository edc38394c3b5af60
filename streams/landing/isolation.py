"""The last resort when ClickHouse refuses a batch again and again: find the records it refuses.

Admission rejects all that we know no column can hold, so that this should never find anything.
"""

import re
from collections.abc import Callable, Sequence

from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.event import Rejection
from streams.landing.batches import Record, RejectedElement

MOST_REFUSED_IN_A_ROW = 8
"""After so many single records, none of them stored, it is not the records."""

_CODE = re.compile(r"\bcode:?\s*(\d+)", re.IGNORECASE)
# What ClickHouse says of a value: cannot be parsed, converted or held, or breaks a constraint.
_OF_A_VALUE = {6, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 407, 469}


def tells_of_a_value(failure: Exception) -> bool:
    """Did the warehouse refuse what is in the rows? Then a repeat of the insert cannot help."""
    found = _CODE.search(str(failure))
    return isinstance(failure, DatabaseError) and found is not None and int(found[1]) in _OF_A_VALUE


class Isolation:
    """Stores all records but those that are refused one by one; halves, and halves again.

    A record is refused only when others were stored beside it: when none can be, the trouble is
    the warehouse's.
    """

    def __init__(self, insert: Callable[[Sequence[Record]], None]) -> None:
        self._insert = insert
        self._has_stored = False
        self._refused: list[RejectedElement] = []

    def store(self, records: Sequence[Record]) -> list[RejectedElement]:
        """Insert the records; those that are refused, each whole, with the reason.

        Raises:
            DatabaseError: nothing could be stored, or the refusal is not about a value.
        """
        failure = self._store(records)
        if failure is not None and not self._has_stored:
            raise failure
        return self._refused

    def _store(self, records: Sequence[Record]) -> DatabaseError | None:
        try:
            self._insert(records)
        except DatabaseError as failure:
            if not tells_of_a_value(failure):
                raise
            if len(records) == 1:
                self._refused.append(_refusal(records[0], failure))
            if not self._has_stored and len(self._refused) >= MOST_REFUSED_IN_A_ROW:
                raise
            if len(records) > 1:
                middle = len(records) // 2
                self._store(records[:middle])
                self._store(records[middle:])
            return failure
        self._has_stored = True
        return None


def _refusal(record: Record, failure: Exception) -> RejectedElement:
    rejection = Rejection(0, "not_storable", str(failure), record.value() or b"")
    return RejectedElement.of(record, rejection)
