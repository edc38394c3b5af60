"""Payment attempts and what they make of their invoices.

An attempt moves forward only, and an invoice has at most one that has paid or still may: the
database itself refuses a second. No provider is called here.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from schemas.errors import Conflict, NotFound
from schemas.invoice import Invoice, InvoiceState
from schemas.payment import AttemptState, PaymentAttempt, ProviderPayment, attempt_id
from stores.ledger.invoices.rows import load_invoices
from stores.ledger.outbox import BillingEvent, announce, as_json
from stores.ledger.part import LedgerPart
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.payment_tables import payment_attempts
from stores.ledger.tables.subscription_tables import tenants

OWED = (InvoiceState.FINALIZED, InvoiceState.PAST_DUE)
MAY_PAY = (AttemptState.SUBMITTING, AttemptState.PROCESSING, AttemptState.SUCCEEDED)
_ATTEMPT = (
    "id",
    "invoice",
    "tenant",
    "provider",
    "amount_minor",
    "currency",
    "card",
    "key",
    "state",
    "reference",
    "failure",
)


class Payments(LedgerPart):
    """The table `payment_attempts`."""

    def collectable(self, month: str) -> list[Invoice]:
        """Finalized invoices of the month with an amount due and no attempt that may still pay.

        Past due ones are among them.
        """
        due = sa.and_(
            invoices.c.month == month,
            invoices.c.state.in_([state.value for state in OWED]),
            invoices.c.total_minor > invoices.c.credited_minor,
            ~_has_attempt_that_may_pay(),
        )
        with self._reading() as connection:
            return [invoice for invoice, _ in load_invoices(connection, due)]

    def open_attempt(self, invoice: Invoice, provider: str, now_ms: int) -> PaymentAttempt | None:
        """Store the next attempt as `submitting`; None if another is open or the invoice is paid.

        Raises:
            NotFound: no such invoice. Conflict: it is a draft, or nothing is due.
        """
        with self._writing() as connection:
            stored = _owed(connection, invoice.id)
            if stored.state == InvoiceState.PAID or stored.taken:
                return None
            attempt = _next_attempt(connection, stored, provider)
            row = {name: getattr(attempt, name) for name in _ATTEMPT}
            ordinal = {"ordinal": stored.attempts + 1, "created_ms": now_ms, "changed_ms": now_ms}
            connection.execute(sa.insert(payment_attempts).values(row | ordinal))
            return attempt

    def record_attempt(self, attempt: str, payment: ProviderPayment, now_ms: int) -> None:
        """Move an attempt forward (never back); paid or past due follows for its invoice.

        What is older than the stored state is ignored, so webhooks may come twice and in any order.

        Raises:
            NotFound: no such attempt. Conflict: the provider tells of another payment.
        """
        with self._writing() as connection:
            stored = stored_attempt(connection, attempt)
            _check_same(stored, payment)
            if not _is_forward(stored.state, payment.state):
                return
            connection.execute(
                sa.update(payment_attempts)
                .where(payment_attempts.c.id == attempt)
                .values(
                    state=payment.state.value,
                    reference=payment.reference,
                    failure=payment.failure,
                    changed_ms=now_ms,
                )
            )
            _follow(connection, stored, payment, now_ms)

    def attempts(
        self, month: str | None = None, states: Sequence[AttemptState] = ()
    ) -> list[PaymentAttempt]:
        """Attempts by invoice and ordinal."""
        query = _attempts().join_from(payment_attempts, invoices)
        if month is not None:
            query = query.where(invoices.c.month == month)
        if states:
            wanted = [state.value for state in states]
            query = query.where(payment_attempts.c.state.in_(wanted))
        order = (payment_attempts.c.invoice, payment_attempts.c.ordinal)
        with self._reading() as connection:
            return [_attempt(row) for row in connection.execute(query.order_by(*order))]

    def attempt_of(self, provider: str, reference: str) -> PaymentAttempt | None:
        """The attempt that a provider's reference belongs to."""
        query = _attempts().where(
            payment_attempts.c.provider == provider, payment_attempts.c.reference == reference
        )
        with self._reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _attempt(row)


def _has_attempt_that_may_pay() -> sa.Exists:
    return sa.exists().where(
        payment_attempts.c.invoice == invoices.c.id,
        payment_attempts.c.state.in_([state.value for state in MAY_PAY]),
    )


def _owed(connection: sa.Connection, invoice: str) -> sa.Row[Any]:
    this = invoices.c.id == invoice
    # First the lock, then a statement of its own: it must see what the last holder did.
    if connection.execute(sa.select(invoices.c.id).where(this).with_for_update()).first() is None:
        raise NotFound(f"there is no invoice {invoice!r}")
    attempts = (
        sa.select(sa.func.coalesce(sa.func.max(payment_attempts.c.ordinal), 0))
        .where(payment_attempts.c.invoice == invoices.c.id)
        .scalar_subquery()
    )
    query = sa.select(
        invoices, _has_attempt_that_may_pay().label("taken"), attempts.label("attempts")
    ).where(this)
    stored = connection.execute(query).one()
    if stored.state == InvoiceState.DRAFT:
        raise Conflict(f"invoice {invoice} is a draft; only finalized invoices are collected")
    if stored.state == InvoiceState.VOID:
        raise Conflict(f"invoice {invoice} is void; nothing of it is collected")
    if stored.total_minor <= stored.credited_minor and stored.state != InvoiceState.PAID:
        raise Conflict(f"invoice {invoice} has nothing to collect")
    return stored


def _next_attempt(connection: sa.Connection, stored: sa.Row[Any], provider: str) -> PaymentAttempt:
    card = sa.select(tenants.c.card).where(tenants.c.tenant == stored.tenant)
    id_ = attempt_id(stored.id, stored.attempts + 1)
    return PaymentAttempt(
        id=id_,
        invoice=stored.id,
        tenant=stored.tenant,
        provider=provider,
        amount_minor=stored.total_minor - stored.credited_minor,
        currency=stored.currency,
        card=connection.execute(card).scalar() or "",
        key=id_,
    )


def _attempts() -> sa.Select[Any]:
    return sa.select(*(payment_attempts.c[name] for name in _ATTEMPT))


def _attempt(row: sa.Row[Any]) -> PaymentAttempt:
    return PaymentAttempt(**{**row._mapping, "state": AttemptState(row.state)})


def stored_attempt(connection: sa.Connection, attempt: str) -> PaymentAttempt:
    """An attempt, which nobody else moves until the transaction ends. Raises NotFound."""
    query = _attempts().where(payment_attempts.c.id == attempt).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"there is no payment attempt {attempt!r}")
    return _attempt(row)


def _check_same(stored: PaymentAttempt, payment: ProviderPayment) -> None:
    asked = (stored.amount_minor, stored.currency)
    if (payment.amount_minor, payment.currency) != asked:
        raise Conflict(
            f"{stored.id}: {stored.provider} took {payment.amount_minor} {payment.currency}"
            f" for {stored.amount_minor} {stored.currency}; it is not recorded, look into it"
        )
    if stored.reference not in (None, payment.reference):
        raise Conflict(
            f"{stored.id}: {stored.provider} names the payment {payment.reference}, which was"
            f" {stored.reference}; one attempt is one payment, look into it"
        )


def _is_forward(stored: AttemptState, told: AttemptState) -> bool:
    return not stored.is_final and told not in (AttemptState.SUBMITTING, stored)


def _follow(
    connection: sa.Connection, attempt: PaymentAttempt, payment: ProviderPayment, now_ms: int
) -> None:
    if payment.state is AttemptState.SUCCEEDED:
        _move_invoice(connection, attempt.invoice, InvoiceState.PAID)
        _tell(connection, "payment.received", attempt, payment, now_ms)
    elif payment.state is AttemptState.FAILED:
        _move_invoice(connection, attempt.invoice, InvoiceState.PAST_DUE)
        _tell(connection, "payment.failed", attempt, payment, now_ms)


def _move_invoice(connection: sa.Connection, invoice: str, state: InvoiceState) -> None:
    owed = [each.value for each in OWED if each is not state]
    connection.execute(
        sa.update(invoices)
        .where(invoices.c.id == invoice, invoices.c.state.in_(owed))
        .values(state=state.value, version=invoices.c.version + 1)
    )


def _tell(
    connection: sa.Connection,
    kind: str,
    attempt: PaymentAttempt,
    payment: ProviderPayment,
    now_ms: int,
) -> None:
    number = sa.select(invoices.c.number).where(invoices.c.id == attempt.invoice)
    data = {
        "attempt": attempt.id,
        "invoice": attempt.invoice,
        "number": connection.execute(number).scalar(),
        "provider": attempt.provider,
        "reference": payment.reference,
        "currency": attempt.currency,
        "amount_minor": attempt.amount_minor,
        "failure": payment.failure,
    }
    event = BillingEvent(f"{kind}:{attempt.id}", kind, attempt.tenant, now_ms, as_json(data))
    announce(connection, [event])
