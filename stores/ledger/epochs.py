"""The epochs of the usage topic: an epoch belongs to one topic id for ever, the newest is live."""

import json

import sqlalchemy as sa

from schemas.epoch import Epoch
from schemas.errors import Conflict
from schemas.vector import Vector
from stores.ledger.part import LedgerPart, lock
from stores.ledger.tables.subscription_tables import epochs


class Epochs(LedgerPart):
    """The table `epochs`."""

    def epoch(self, topic_id: str) -> int | None:
        """The epoch of a topic id; None until it is opened."""
        query = sa.select(epochs.c.epoch).where(epochs.c.topic_id == topic_id)
        with self._reading() as connection:
            return connection.execute(query).scalar()

    def epochs(self) -> list[Epoch]:
        """All of them, the live one last."""
        with self._reading() as connection:
            return [_epoch(row) for row in connection.execute(_in_order())]

    def live_epoch(self) -> Epoch | None:
        """The newest; None before the first topic was made."""
        return next(reversed(self.epochs()), None)

    def drained(self) -> Vector:
        """Where the epochs ended that were followed by another in good order."""
        ends: dict[tuple[int, int], int] = {}
        for epoch in self.epochs():
            ends |= epoch.ends or {}
        return Vector(ends)

    def open_epoch(self, topic_id: str, topic: str, partitions: int, now_ms: int) -> int:
        """The epoch of a topic id, opened if it is a new one; the first is 1."""
        with self._writing() as connection:
            lock(connection, epochs)
            known = sa.select(epochs.c.epoch).where(epochs.c.topic_id == topic_id)
            number = connection.execute(known).scalar()
            if number is not None:
                return int(number)
            last = connection.execute(sa.select(sa.func.max(epochs.c.epoch))).scalar() or 0
            opened = Epoch(last + 1, topic_id, topic, partitions, now_ms)
            connection.execute(sa.insert(epochs).values(_row(opened)))
            return opened.number

    def follow_epoch(self, ended: Epoch, ends: Vector, opened: Epoch) -> None:
        """Open an epoch and record where the live one ended, both or neither.

        Raises:
            Conflict: another epoch than `ended` is live.
        """
        with self._writing() as connection:
            lock(connection, epochs)
            rows = [_epoch(row) for row in connection.execute(_in_order())]
            if not rows or rows[-1].number != ended.number:
                raise Conflict(f"epoch {ended.number} is not the live one any more")
            document = json.dumps(ends.to_json())
            this = epochs.c.epoch == ended.number
            connection.execute(sa.update(epochs).where(this).values(ends=document))
            connection.execute(sa.insert(epochs).values(_row(opened)))


def _in_order() -> sa.Select[tuple[object, ...]]:
    return sa.select(epochs).order_by(epochs.c.epoch)


def _row(epoch: Epoch) -> dict[str, object]:
    return {
        "epoch": epoch.number,
        "topic_id": epoch.topic_id,
        "topic": epoch.topic,
        "partitions": epoch.partitions,
        "opened_ms": epoch.opened_ms,
    }


def _epoch(row: sa.Row[tuple[object, ...]]) -> Epoch:
    ends = None if row.ends is None else Vector.from_json(json.loads(row.ends))
    return Epoch(row.epoch, row.topic_id, row.topic, row.partitions, row.opened_ms, ends)
