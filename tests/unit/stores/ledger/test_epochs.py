"""Epochs of the usage topic: numbered for ever, the newest live, the others ended in good order."""

import pytest

from schemas.epoch import Epoch
from schemas.errors import Conflict
from schemas.vector import Vector
from stores.ledger import Ledger

ENDS = Vector({(1, 0): 40, (1, 2): 7})


def test_the_newest_epoch_is_live(ledger: Ledger) -> None:
    assert ledger.live_epoch() is None
    assert ledger.open_epoch("id-1", "usage.events", 8, 5) == 1
    assert ledger.live_epoch() == Epoch(1, "id-1", "usage.events", 8, 5)
    assert ledger.drained() == Vector()


def test_an_epoch_that_is_followed_keeps_where_it_ended(ledger: Ledger) -> None:
    ledger.open_epoch("id-1", "usage.events", 8, 5)
    first = Epoch(1, "id-1", "usage.events", 8, 5)
    second = Epoch(2, "id-2", "usage.events.v2", 16, 9)
    ledger.follow_epoch(first, ENDS, second)
    assert ledger.epochs() == [Epoch(1, "id-1", "usage.events", 8, 5, ENDS), second]
    assert ledger.drained() == ENDS
    assert second.generation == 2


def test_only_the_live_epoch_can_be_followed(ledger: Ledger) -> None:
    ledger.open_epoch("id-1", "usage.events", 8, 5)
    first = Epoch(1, "id-1", "usage.events", 8, 5)
    ledger.follow_epoch(first, ENDS, Epoch(2, "id-2", "usage.events.v2", 16, 9))
    with pytest.raises(Conflict, match="epoch 1 is not the live one any more"):
        ledger.follow_epoch(first, ENDS, Epoch(2, "id-2", "usage.events.v2", 16, 9))
