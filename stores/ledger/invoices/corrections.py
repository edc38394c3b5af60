"""Invoices after they were finalized: void, made again, credited. Never edited.

A void invoice keeps its number and lines; what takes its place, and a credit note, are rows of
their own with the next numbers of the series. Each is told as a billing event and in the audit log.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.extras import USUAL_PRIORITY
from schemas.invoice import Invoice, InvoiceState
from schemas.money import Money
from schemas.payment import AttemptState
from stores.ledger.extras.credits import apply_credits, grant_negatives, granted_by
from stores.ledger.invoices.finalizing import after_numbering, last_number, numbered
from stores.ledger.invoices.invoices import insert_issued
from stores.ledger.invoices.rows import load_invoices
from stores.ledger.outbox import BillingEvent, announce, as_json, audit
from stores.ledger.part import LedgerPart
from stores.ledger.tables.extras_tables import credit_applications, credit_grants
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.payment_tables import payment_attempts

_MAY_PAY = (AttemptState.SUBMITTING, AttemptState.PROCESSING)


class Corrections(LedgerPart):
    """Moves that follow finalizing; each checks the invoice's state under its lock."""

    def void_invoice(self, name: str, who: str, why: str) -> bool:
        """Make an invoice void, and give back the credits it used; False if it is void already.

        Raises:
            NotFound: no such invoice. Conflict: it is a draft, paid, credited by a note, below
            zero and used, or a payment of it is under way.
        """
        with self._writing() as connection:
            invoice = _locked(connection, name)
            if invoice.state is InvoiceState.VOID:
                return False
            _check_voidable(connection, invoice)
            now_ms = self._clock()
            _withdraw_grant(connection, invoice)
            returned = _give_back(connection, invoice.id, now_ms)
            _move(connection, invoice.id, state=InvoiceState.VOID.value)
            told = {"why": why, "credits_returned": returned}
            _tell(connection, "invoice.voided", invoice, who, now_ms, told)
            return True

    def replace_void(
        self, name: str, remade: Invoice, who: str, seller: str, dates: tuple[int, int]
    ) -> Invoice:
        """Finalize an invoice in the place of a void one, with the next number of its month.

        A second time it is the one that is there.

        Raises:
            NotFound: no such invoice. Conflict: it is not void.
        """
        with self._writing() as connection:
            void = _locked(connection, name)
            if void.state is not InvoiceState.VOID:
                raise Conflict(f"{name} is {void.state}; only a void invoice is made again")
            if there := _live(connection, void):
                return there
            made = _issue(connection, remade, seller, dates)
            apply_credits(connection, made.month, seller, dates[0])
            grant_negatives(connection, made.month, seller, dates[0])
            told = {"replaces": void.number, "total_minor": made.total_minor}
            _tell(connection, "invoice.regenerated", made, who, dates[0], told)
            return made

    def issue_credit_note(
        self, note: Invoice, who: str, why: str, seller: str, dates: tuple[int, int]
    ) -> Invoice:
        """Finalize a note that credits an invoice; a note of the same id is issued once.

        What is not paid yet is reduced by it; of what is paid it becomes a prepaid credit.

        Raises:
            NotFound: no such invoice. Conflict: it is a draft or void, less than that is left of
            it, or a payment of it is under way.
        """
        with self._writing() as connection:
            invoice = _locked(connection, note.corrects or "")
            if there := _by_id(connection, note.id):
                return there
            _check_creditable(connection, invoice, -note.total_minor)
            made = _issue(connection, note, seller, dates)
            _settle(connection, invoice, made, dates[0])
            told = {"why": why, "corrects": invoice.number, "amount_minor": made.total_minor}
            _tell(connection, "note.issued", made, who, dates[0], told)
            return made


def _locked(connection: sa.Connection, name: str) -> Invoice:
    named = sa.or_(invoices.c.number == name, invoices.c.id == name)
    query = sa.select(invoices.c.id).where(named).with_for_update()
    found = connection.execute(query).scalars().all()
    if not found:
        raise NotFound(f"there is no invoice {name!r}; see `countinghouse invoices list`")
    if len(found) > 1:
        raise Conflict(f"{name!r} names several invoices; use an id: {', '.join(found)}")
    return load_invoices(connection, invoices.c.id == found[0])[0][0]


def _by_id(connection: sa.Connection, id_: str) -> Invoice | None:
    found = load_invoices(connection, invoices.c.id == id_)
    return found[0][0] if found else None


def _live(connection: sa.Connection, void: Invoice) -> Invoice | None:
    its = invoices.c
    live = sa.and_(
        its.subscription == void.subscription,
        its.month == void.month,
        its.kind == "invoice",
        its.state != InvoiceState.VOID.value,
    )
    found = load_invoices(connection, live)
    return found[0][0] if found else None


def _check_voidable(connection: sa.Connection, invoice: Invoice) -> None:
    name = invoice.number or invoice.id
    remedy = f"credit it: `invoices credit-note {name}`"
    if invoice.state is InvoiceState.DRAFT:
        raise Conflict(f"{name} is a draft; close its month again instead")
    if _attempts(connection, invoice, (AttemptState.SUCCEEDED,)):
        raise Conflict(f"{name} is paid; {remedy}")
    _check_no_payment_open(connection, invoice)
    if invoice.credited_minor or _notes(connection, invoice):
        raise Conflict(f"{name} has credit notes; {remedy}")


def _check_creditable(connection: sa.Connection, invoice: Invoice, amount_minor: int) -> None:
    name = invoice.number or invoice.id
    if invoice.state in (InvoiceState.DRAFT, InvoiceState.VOID):
        raise Conflict(f"{name} is {invoice.state}; only an issued invoice is credited")
    if invoice.state is not InvoiceState.PAID:
        _check_no_payment_open(connection, invoice)
    left = invoice.total_minor + sum(_notes(connection, invoice))
    if amount_minor <= 0:
        raise InvalidInput(f"a credit of {_money(amount_minor, invoice)} credits nothing")
    if amount_minor > left:
        wanted = _money(amount_minor, invoice)
        raise Conflict(f"{name} has {_money(left, invoice)} left to credit, not {wanted}")


def _money(amount_minor: int, invoice: Invoice) -> Money:
    return Money(amount_minor, invoice.currency)


def _check_no_payment_open(connection: sa.Connection, invoice: Invoice) -> None:
    if _attempts(connection, invoice, _MAY_PAY):
        raise Conflict(f"a payment of {invoice.number} is under way; try again when it is decided")


def _attempts(
    connection: sa.Connection, invoice: Invoice, states: Iterable[AttemptState]
) -> list[str]:
    query = sa.select(payment_attempts.c.id).where(
        payment_attempts.c.invoice == invoice.id,
        payment_attempts.c.state.in_([state.value for state in states]),
    )
    return list(connection.execute(query).scalars())


def _notes(connection: sa.Connection, invoice: Invoice) -> list[int]:
    """What notes by hand have credited so far, below zero; late usage is no matter of theirs."""
    query = sa.select(invoices.c.total_minor).where(
        invoices.c.corrects == invoice.id,
        invoices.c.kind == "note",
        invoices.c.state != InvoiceState.VOID.value,
        invoices.c.id.startswith(f"{invoice.id}:credit:", autoescape=True),
    )
    return list(connection.execute(query).scalars())


def _withdraw_grant(connection: sa.Connection, invoice: Invoice) -> None:
    """Take back the credit that an invoice below zero was granted as, if nothing has used it."""
    if invoice.total_minor >= 0:
        return
    key = f"invoice:{invoice.number}"
    own = sa.and_(credit_grants.c.tenant == invoice.tenant, credit_grants.c.key == key)
    used = sa.select(credit_applications.c.invoice).where(
        credit_applications.c.tenant == invoice.tenant, credit_applications.c.grant_key == key
    )
    if connection.execute(used).first():
        raise Conflict(f"the credit of {invoice.number} is used; charge an item instead")
    connection.execute(sa.delete(credit_grants).where(own))


def _give_back(connection: sa.Connection, invoice: str, now_ms: int) -> int:
    used = sa.and_(
        credit_applications.c.invoice == invoice, credit_applications.c.returned_ms.is_(None)
    )
    given = sa.update(credit_applications).where(used).values(returned_ms=now_ms)
    return connection.execute(given).rowcount


def _move(connection: sa.Connection, invoice: str, **values: Any) -> None:
    moved = sa.update(invoices).where(invoices.c.id == invoice)
    connection.execute(moved.values(version=invoices.c.version + 1, **values))


def _issue(
    connection: sa.Connection, invoice: Invoice, seller: str, dates: tuple[int, int]
) -> Invoice:
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


def _settle(connection: sa.Connection, invoice: Invoice, note: Invoice, now_ms: int) -> None:
    """An unpaid invoice is owed less; a paid one leaves a credit."""
    if invoice.state is not InvoiceState.PAID:
        credited = invoice.credited_minor - note.total_minor
        is_settled = credited >= invoice.total_minor
        state = InvoiceState.PAID if is_settled else invoice.state
        _move(connection, invoice.id, credited_minor=credited, state=state.value)
        return
    key = granted_by(sa.literal(note.number))
    connection.execute(
        sa.insert(credit_grants).values(
            tenant=note.tenant,
            key=key,
            currency=note.currency,
            amount_minor=-note.total_minor,
            granted_ms=now_ms,
            priority=USUAL_PRIORITY,
        )
    )


def _tell(
    connection: sa.Connection,
    kind: str,
    invoice: Invoice,
    who: str,
    now_ms: int,
    told: dict[str, Any],
) -> None:
    number = invoice.number or ""
    data = {"invoice": invoice.id, "number": number, "currency": invoice.currency, **told}
    event = BillingEvent(f"{kind}:{invoice.id}", kind, invoice.tenant, now_ms, as_json(data))
    announce(connection, [event])
    audit(connection, now_ms, who, kind, {invoice.tenant: {"number": number, **told}})
