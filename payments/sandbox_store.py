"""The sandbox's memory: payments and the webhooks it owes, in an SQLite file of its own.

It decides nothing by the clock: instants are arguments.
"""

from dataclasses import dataclass
from hashlib import sha256

from payments.sandbox_cards import is_known, outcome, refusal
from payments.sandbox_reversals import SandboxReversals
from schemas.errors import Conflict
from schemas.payment import AttemptState, ProviderPayment

BY_KEY = "SELECT reference, state, amount_minor, currency, failure FROM payments WHERE key = ?"
BY_REFERENCE = (
    "SELECT reference, state, amount_minor, currency, failure FROM payments WHERE reference = ?"
)


@dataclass(frozen=True, slots=True)
class Charge:
    """What a caller asks for."""

    key: str
    amount_minor: int
    currency: str
    card: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that is owed: `copies` are still to be taken by the receiver."""

    ordinal: int
    reference: str
    kind: str
    copies: int
    tries: int

    @property
    def event_id(self) -> str:
        """The same for every copy and every try."""
        return f"evt_{self.ordinal}"


class SandboxStore(SandboxReversals):
    """Payments and owed webhooks, and what goes back; for several threads of one process."""

    def charge(self, charge: Charge, decide_ms: int) -> ProviderPayment:
        """Accept a charge; the payment of its key as it is now if the key is known.

        Raises:
            Conflict: the key was used for another amount, currency or card.
        """
        with self._transaction():
            if self._payment(BY_KEY, charge.key) is None:
                self._insert(charge, decide_ms)
            self._refuse_another(charge)
            payment = self._payment(BY_KEY, charge.key)
        assert payment is not None  # noqa: S101 - inserted above
        return payment

    def by_reference(self, reference: str) -> ProviderPayment | None:
        """The payment of a reference."""
        with self._lock:
            return self._payment(BY_REFERENCE, reference)

    def by_key(self, key: str) -> ProviderPayment | None:
        """The payment of an idempotency key."""
        with self._lock:
            return self._payment(BY_KEY, key)

    def decide(self, now_ms: int) -> int:
        """Decide the payments that are due, and owe a webhook for each; how many."""
        with self._transaction():
            due = self._db.execute(
                "SELECT reference, card FROM payments WHERE decide_ms <= ? ORDER BY decide_ms",
                (now_ms,),
            ).fetchall()
            for reference, card in due:
                self._settle(reference, *outcome(card), now_ms)
        return len(due)

    def owed(self, now_ms: int, limit: int) -> list[Delivery]:
        """Webhooks to send now, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT ordinal, reference, kind, copies, tries FROM deliveries"
                " WHERE next_ms <= ? ORDER BY next_ms, ordinal LIMIT ?",
                (now_ms, limit),
            ).fetchall()
        return [Delivery(*row) for row in rows]

    def delivered(self, delivery: Delivery) -> None:
        """One copy was taken by the receiver."""
        with self._transaction():
            self._db.execute(
                "UPDATE deliveries SET copies = copies - 1, tries = tries + 1,"
                " next_ms = CASE WHEN copies > 1 THEN next_ms END WHERE ordinal = ?",
                (delivery.ordinal,),
            )

    def not_delivered(self, delivery: Delivery, next_ms: int) -> None:
        """The receiver did not take it: try again then."""
        with self._transaction():
            self._db.execute(
                "UPDATE deliveries SET tries = tries + 1, next_ms = ? WHERE ordinal = ?",
                (next_ms, delivery.ordinal),
            )

    def next_work_ms(self) -> int | None:
        """When there is something to decide or to send, or None."""
        with self._lock:
            row = self._db.execute(
                "SELECT min(at) FROM (SELECT min(decide_ms) AS at FROM payments"
                " UNION ALL SELECT min(next_ms) FROM deliveries)"
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def _insert(self, charge: Charge, decide_ms: int) -> None:
        reference = f"pay_{sha256(charge.key.encode()).hexdigest()[:24]}"
        known = is_known(charge.card)
        state = AttemptState.PROCESSING if known else AttemptState.FAILED
        self._db.execute(
            "INSERT INTO payments (reference, key, amount_minor, currency, card, state, failure,"
            " decide_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reference,
                charge.key,
                charge.amount_minor,
                charge.currency,
                charge.card,
                state.value,
                None if known else refusal(charge.card),
                decide_ms if known else None,
            ),
        )

    def _refuse_another(self, charge: Charge) -> None:
        stored = self._db.execute(
            "SELECT amount_minor, currency, card FROM payments WHERE key = ?", (charge.key,)
        ).fetchone()
        if stored != (charge.amount_minor, charge.currency, charge.card):
            raise Conflict(
                f"key {charge.key!r} was used for {stored[0]} {stored[1]}: "
                "another charge needs another key"
            )

    def _settle(
        self, reference: str, state: AttemptState, failure: str | None, now_ms: int
    ) -> None:
        self._db.execute(
            "UPDATE payments SET state = ?, failure = ?, decide_ms = NULL WHERE reference = ?",
            (state.value, failure, reference),
        )
        self._owe(reference, f"payment.{state.value}", now_ms)

    def _payment(self, query: str, value: str) -> ProviderPayment | None:
        row = self._db.execute(query, (value,)).fetchone()
        return None if row is None else ProviderPayment(row[0], AttemptState(row[1]), *row[2:])
