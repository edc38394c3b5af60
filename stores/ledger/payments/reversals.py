"""What went back of payments: each refund and dispute once, forward only, summed on its invoice.

The invoice stays as it is: what it asked for was paid, and is never asked for again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from schemas.errors import Conflict
from schemas.payment import AttemptState, PaymentAttempt
from schemas.reversal import Reversal, ReversalKind, ReversalState
from stores.ledger.outbox import BillingEvent, announce, as_json
from stores.ledger.part import LedgerPart, upsert
from stores.ledger.payments.payments import stored_attempt
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.payment_tables import payment_attempts, payment_reversals


class Reversals(LedgerPart):
    """The table `payment_reversals`."""

    def record_reversals(self, attempt: str, told: Sequence[Reversal], now_ms: int) -> None:
        """Record what a provider tells of a payment that had succeeded; its invoice follows.

        What is known already or older than the record changes nothing, so the same may be told
        twice and in any order.

        Raises:
            NotFound: no such attempt.
            Conflict: it has not succeeded, or some of what is told contradicts it or the record;
                the rest is recorded then.
        """
        with self._writing() as connection:
            paid = stored_attempt(connection, attempt)
            known = {it.reference: it for it in _reversals(connection, _of_attempt(attempt))}
            odd = {it: why for it in told if (why := _oddity(paid, it, known.get(it.reference)))}
            moved = [it for it in told if it not in odd and _is_forward(it, known)]
            if moved:
                _put(connection, paid, moved, now_ms)
                announce(connection, _events(connection, paid, moved, now_ms))
        if odd:
            raise Conflict(f"{attempt}: {'; '.join(odd.values())}; look into it")

    def paid_through(self, since_ms: int) -> list[str]:
        """The providers through which something was paid since an instant: others hold nothing."""
        its = payment_attempts.c
        paid = sa.and_(its.state == AttemptState.SUCCEEDED.value, its.changed_ms >= since_ms)
        query = sa.select(its.provider).distinct().where(paid).order_by(its.provider)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def reversals(
        self, month: str | None = None, invoice: str | None = None
    ) -> dict[str, tuple[Reversal, ...]]:
        """What went back, by attempt, the oldest first: of a month's invoices, of one, or of all.

        Attempts of which nothing went back are not there.
        """
        own = {invoices.c.month: month, invoices.c.id: invoice}
        wanted = [column == value for column, value in own.items() if value is not None]
        found: dict[str, tuple[Reversal, ...]] = {}
        with self._reading() as connection:
            for row in connection.execute(_rows(sa.and_(sa.true(), *wanted))):
                found[row.attempt] = (*found.get(row.attempt, ()), _reversal(row))
        return found


def _of_attempt(attempt: str) -> sa.ColumnElement[bool]:
    return payment_reversals.c.attempt == attempt


def _rows(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    its, paid = payment_reversals.c, payment_attempts.c
    return (
        sa.select(payment_reversals, paid.reference.label("payment"), paid.currency)
        .join_from(payment_reversals, payment_attempts)
        .join(invoices, invoices.c.id == paid.invoice)
        .where(condition)
        .order_by(its.attempt, its.at_ms, its.reference)
    )


def _reversals(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Reversal]:
    return [_reversal(row) for row in connection.execute(_rows(condition))]


def _reversal(row: sa.Row[Any]) -> Reversal:
    return Reversal(
        payment=row.payment,
        reference=row.reference,
        kind=ReversalKind(row.kind),
        state=ReversalState(row.state),
        amount_minor=row.amount_minor,
        currency=row.currency,
        at_ms=row.at_ms,
    )


def _oddity(paid: PaymentAttempt, told: Reversal, known: Reversal | None) -> str | None:
    """How what the provider tells contradicts what we have; such a reversal is not recorded."""
    what = f"{told.kind} {told.reference} of {told.amount_minor} {told.currency}"
    if paid.state is not AttemptState.SUCCEEDED:
        return f"{what}, and the payment has not succeeded"
    if told.payment != paid.reference:
        return f"{what} is of payment {told.payment}, not of {paid.reference}"
    if told.currency != paid.currency:
        return f"{what}, and the payment is in {paid.currency}"
    if known is not None and told.amount_minor != known.amount_minor:
        return f"{what} was of {known.amount_minor} before"
    return None


def _is_forward(told: Reversal, known: Mapping[str, Reversal]) -> bool:
    before = known.get(told.reference)
    return before is None or told.state.is_after(before.state)


def _put(
    connection: sa.Connection, paid: PaymentAttempt, moved: Sequence[Reversal], now_ms: int
) -> None:
    """Write the reversals, and their sum on the invoice, which the warehouse copies then."""
    put = upsert(connection, payment_reversals)
    changed = {name: put.excluded[name] for name in ("state", "changed_ms")}
    keys = ("provider", "reference")
    rows = [
        {
            "provider": paid.provider,
            "attempt": paid.id,
            "reference": it.reference,
            "kind": it.kind.value,
            "state": it.state.value,
            "amount_minor": it.amount_minor,
            "at_ms": it.at_ms,
            "changed_ms": now_ms,
        }
        for it in moved
    ]
    connection.execute(put.on_conflict_do_update(index_elements=keys, set_=changed), rows)
    connection.execute(
        sa.update(invoices)
        .where(invoices.c.id == paid.invoice)
        .values(reversed_minor=_sum_of(paid.invoice), version=invoices.c.version + 1)
    )


def _sum_of(invoice: str) -> sa.ColumnElement[int]:
    its = payment_reversals.c
    total = sa.func.coalesce(sa.func.sum(its.amount_minor), 0)
    return (
        sa.select(sa.cast(total, sa.BigInteger))
        .join_from(payment_reversals, payment_attempts)
        .where(payment_attempts.c.invoice == invoice, its.state != ReversalState.UNDONE.value)
        .scalar_subquery()
    )


def _events(
    connection: sa.Connection, paid: PaymentAttempt, moved: Sequence[Reversal], now_ms: int
) -> list[BillingEvent]:
    this = invoices.c.id == paid.invoice
    stored = connection.execute(sa.select(invoices.c.number, invoices.c.reversed_minor).where(this))
    number, in_all = stored.one()
    return [
        BillingEvent(
            f"payment.reversal:{paid.provider}:{it.reference}:{it.state}",
            "payment.reversal",
            paid.tenant,
            now_ms,
            as_json(
                {
                    "attempt": paid.id,
                    "invoice": paid.invoice,
                    "number": number,
                    "provider": paid.provider,
                    "payment": paid.reference,
                    "reference": it.reference,
                    "kind": it.kind.value,
                    "state": it.state.value,
                    "currency": it.currency,
                    "amount_minor": it.amount_minor,
                    "reversed_minor": in_all,
                }
            ),
        )
        for it in moved
    ]
