"""An invoice that was issued, as corrections find and move it: under its lock, told to all.

Whether it may be moved is said where it is: `corrections`, `credit_notes`.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from schemas.errors import Conflict, NotFound
from schemas.invoice import Invoice, InvoiceState
from schemas.payment import AttemptState
from stores.ledger.invoices.invoices import insert_issued
from stores.ledger.invoices.numbering import after_numbering, last_number, numbered
from stores.ledger.invoices.rows import load_invoices
from stores.ledger.outbox import BillingEvent, announce, as_json, audit
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.payment_tables import payment_attempts

_MAY_PAY = (AttemptState.SUBMITTING, AttemptState.PROCESSING)


def locked(connection: sa.Connection, name: str) -> Invoice:
    """The invoice of a number or an id, which nobody else moves until the transaction ends.

    Raises:
        NotFound: no such invoice. Conflict: the number is of several sellers' invoices.
    """
    named = sa.or_(invoices.c.number == name, invoices.c.id == name)
    query = sa.select(invoices.c.id).where(named).with_for_update()
    found = connection.execute(query).scalars().all()
    if not found:
        raise NotFound(f"there is no invoice {name!r}; see `countinghouse invoices list`")
    if len(found) > 1:
        raise Conflict(f"{name!r} names several invoices; use an id: {', '.join(found)}")
    return load_invoices(connection, invoices.c.id == found[0])[0][0]


def has_attempt(
    connection: sa.Connection, invoice: Invoice, states: Iterable[AttemptState]
) -> bool:
    """Was the invoice asked for by an attempt that is in one of these states?"""
    query = sa.select(payment_attempts.c.id).where(
        payment_attempts.c.invoice == invoice.id,
        payment_attempts.c.state.in_([state.value for state in states]),
    )
    return connection.execute(query).first() is not None


def check_no_payment_open(connection: sa.Connection, invoice: Invoice) -> None:
    """Raise Conflict while an attempt may still pay the invoice."""
    if has_attempt(connection, invoice, _MAY_PAY):
        raise Conflict(f"a payment of {invoice.number} is under way; try again when it is decided")


def issue(
    connection: sa.Connection, invoice: Invoice, seller: str, dates: tuple[int, int]
) -> Invoice:
    """Insert an invoice or note with the next number of its month; dates: issued and due."""
    last = last_number(connection, invoice.month, seller)
    free = invoice.total_minor <= 0
    made = replace(
        invoice,
        state=InvoiceState.PAID if free else InvoiceState.FINALIZED,
        number=numbered(invoice.month, last + 1),
        issued_ms=dates[0],
        due_ms=dates[1],
    )
    insert_issued(connection, made, seller)
    after_numbering(connection, invoice.month, seller, last + 1)
    return made


def move(connection: sa.Connection, invoice: str, **values: Any) -> None:
    """Change what of an invoice may change: its state, what notes have taken off."""
    moved = sa.update(invoices).where(invoices.c.id == invoice)
    connection.execute(moved.values(version=invoices.c.version + 1, **values))


def tell(
    connection: sa.Connection,
    kind: str,
    invoice: Invoice,
    who: str,
    now_ms: int,
    told: dict[str, Any],
) -> None:
    """Write a billing event of an invoice, once, and a line of the audit log."""
    number = invoice.number or ""
    data = {"invoice": invoice.id, "number": number, "currency": invoice.currency, **told}
    event = BillingEvent(f"{kind}:{invoice.id}", kind, invoice.tenant, now_ms, as_json(data))
    announce(connection, [event])
    audit(connection, now_ms, who, kind, {invoice.tenant: {"number": number, **told}})
