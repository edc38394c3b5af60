"""When a topic may be sealed: usage may flow, a transaction may not be open."""

from typing import cast

import pytest

from countinghouse import growing
from countinghouse.growing import _await_no_transaction
from schemas.errors import BillingError
from schemas.vector import Vector
from stores.log import KafkaLog


class Flowing:
    """A topic of one partition to which a record comes between any two looks."""

    def __init__(self, opened_at: int | None = None) -> None:
        self._end = 100
        self._opened_at = opened_at

    def ends(self, *, committed: bool = True) -> Vector:
        self._end += 1
        held = self._opened_at if committed else None
        return Vector({(1, 0): self._end if held is None else held})


def test_usage_that_still_comes_to_the_old_topic_is_no_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(growing, "TRANSACTION_SECONDS", 0)
    _await_no_transaction(cast(KafkaLog, Flowing()))


def test_an_open_transaction_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "TRANSACTION_SECONDS", 0)
    with pytest.raises(BillingError, match="end their transactions"):
        _await_no_transaction(cast(KafkaLog, Flowing(opened_at=101)))
