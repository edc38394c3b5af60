"""What goes back at the sandbox: refunds as somebody makes them there, disputes as banks do.

A refund is settled at once and may fail later; a dispute is open until it is won or lost.
"""

from typing import Any

from payments.sandbox_database import SandboxDatabase
from schemas.errors import Conflict, NotFound
from schemas.payment import AttemptState
from schemas.reversal import Reversal, ReversalKind, ReversalState

BEGINS = {
    ReversalKind.REFUND: ReversalState.SETTLED,
    ReversalKind.DISPUTE: ReversalState.PENDING,
}
PREFIXES = {ReversalKind.REFUND: "re", ReversalKind.DISPUTE: "dp"}
ROWS = (
    "SELECT r.payment, r.reference, r.kind, r.state, r.amount_minor, p.currency, r.at_ms"
    " FROM reversals AS r JOIN payments AS p ON p.reference = r.payment"
)


class SandboxReversals(SandboxDatabase):
    """The table `reversals`."""

    def reverse(
        self, payment: str, kind: ReversalKind, amount_minor: int | None, now_ms: int
    ) -> Reversal:
        """Refund or dispute a payment, all that is left of it unless an amount is said.

        Raises:
            NotFound: no such payment. Conflict: it has not succeeded, or less of it is left.
        """
        with self._transaction():
            left, ordinal = self._left(payment)
            amount_minor = left if amount_minor is None else amount_minor
            if not 0 < amount_minor <= left:
                raise Conflict(f"{payment} has {left} left to go back, not {amount_minor}")
            reference = f"{PREFIXES[kind]}_{payment.removeprefix('pay_')}_{ordinal}"
            self._db.execute(
                "INSERT INTO reversals (payment, reference, kind, state, amount_minor, at_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (payment, reference, kind.value, BEGINS[kind].value, amount_minor, now_ms),
            )
            self._owe(payment, f"{kind}.{BEGINS[kind]}", now_ms)
            return self._one(reference)

    def move_reversal(self, reference: str, state: ReversalState, now_ms: int) -> Reversal:
        """Settle a dispute that is open, or undo what goes back.

        Raises:
            NotFound: no such reversal. Conflict: it was decided already.
        """
        with self._transaction():
            stored = self._one(reference)
            if not state.is_after(stored.state):
                raise Conflict(f"{reference} is {stored.state}; it cannot become {state}")
            self._db.execute(
                "UPDATE reversals SET state = ? WHERE reference = ?", (state.value, reference)
            )
            self._owe(stored.payment, f"{stored.kind}.{state}", now_ms)
            return self._one(reference)

    def reversals(self, payment: str | None = None, since_ms: int = 0) -> list[Reversal]:
        """Those of a payment, or of all, made since an instant, in their order."""
        wanted = " WHERE r.at_ms >= ? AND r.payment = coalesce(?, r.payment) ORDER BY r.ordinal"
        with self._lock:
            rows = self._db.execute(ROWS + wanted, (since_ms, payment)).fetchall()
        return [_reversal(row) for row in rows]

    def _left(self, payment: str) -> tuple[int, int]:
        """What of a payment has not gone back, and which reversal of it would be the next."""
        row = self._db.execute(
            "SELECT state, amount_minor FROM payments WHERE reference = ?", (payment,)
        ).fetchone()
        if row is None:
            raise NotFound(f"there is no payment {payment!r}")
        if row[0] != AttemptState.SUCCEEDED:
            raise Conflict(f"{payment} is {row[0]}; nothing of it goes back")
        own = self.reversals(payment)
        gone = sum(it.amount_minor for it in own if it.state is not ReversalState.UNDONE)
        return row[1] - gone, len(own) + 1

    def _one(self, reference: str) -> Reversal:
        row = self._db.execute(ROWS + " WHERE r.reference = ?", (reference,)).fetchone()
        if row is None:
            raise NotFound(f"there is no refund or dispute {reference!r}")
        return _reversal(row)


def _reversal(row: tuple[Any, ...]) -> Reversal:
    payment, reference, kind, state, *rest = row
    return Reversal(payment, reference, ReversalKind(kind), ReversalState(state), *rest)
