"""Credit notes by hand: issued once, never more than is left of an invoice, taken back when void.

Of an invoice that is not paid a note takes off what is owed; of a paid one it becomes a prepaid
credit. Notes for late usage are made by the close and are no matter of these.
"""

import sqlalchemy as sa

from schemas.credited_line import credit_same_line, credited_place
from schemas.errors import Conflict, InvalidInput
from schemas.extras import USUAL_PRIORITY, Kept
from schemas.invoice import Invoice, InvoiceState
from schemas.money import Money
from schemas.payment import AttemptState
from stores.ledger.extras.credits import granted_by
from stores.ledger.invoices.issued import (
    check_no_payment_open,
    has_attempt,
    issue,
    locked,
    move,
    tell,
)
from stores.ledger.invoices.rows import load_invoices
from stores.ledger.part import LedgerPart
from stores.ledger.tables.extras_tables import credit_grants
from stores.ledger.tables.invoice_tables import invoices


class CreditNotes(LedgerPart):
    """Notes on invoices; each checks the invoice's state under its lock."""

    def issue_credit_note(
        self, note: Invoice, who: str, why: str, seller: str, dates: tuple[int, int]
    ) -> tuple[Invoice, Kept]:
        """Finalize a note that credits an invoice; one of the same id is `unchanged` from then on.

        What is not paid yet is reduced by it; of what is paid it becomes a prepaid credit.

        Raises:
            NotFound: no such invoice. Conflict: it is a draft or void, less than that is left of
            it or of the line, a payment of it is under way, or the note of the id credits
            something else.
        """
        with self._writing() as connection:
            invoice = locked(connection, note.corrects or "")
            if there := _by_id(connection, note.id):
                _check_same(there, note)
                return there, "unchanged"
            _check_line_left(connection, invoice, note)
            _check_creditable(connection, invoice, -note.total_minor)
            made = issue(connection, note, seller, dates)
            _settle(connection, invoice, made, dates[0])
            told = {"why": why, "corrects": invoice.number, "amount_minor": made.total_minor}
            tell(connection, "note.issued", made, who, dates[0], told)
            return made, "added"


def notes_on(connection: sa.Connection, invoice: Invoice) -> list[int]:
    """What notes by hand have credited so far, below zero; late usage is no matter of theirs."""
    query = sa.select(invoices.c.total_minor).where(_by_hand(invoice))
    return list(connection.execute(query).scalars())


def _by_hand(invoice: Invoice) -> sa.ColumnElement[bool]:
    return sa.and_(
        invoices.c.corrects == invoice.id,
        invoices.c.kind == "note",
        invoices.c.state != InvoiceState.VOID.value,
        invoices.c.id.startswith(f"{invoice.id}:credit:", autoescape=True),
    )


def take_back(connection: sa.Connection, note: Invoice) -> None:
    """Let what a note has taken off an invoice be owed again.

    Raises:
        Conflict: the rest of the invoice is paid, or a payment of it is under way.
    """
    invoice = locked(connection, note.corrects or "")
    check_no_payment_open(connection, invoice)
    # A buyer who has paid what was asked is asked for no more by the same invoice.
    if has_attempt(connection, invoice, (AttemptState.SUCCEEDED,)):
        told = f"{invoice.number} was paid without what {note.number} takes off"
        raise Conflict(f"{told}; charge an item instead")
    credited = invoice.credited_minor + note.total_minor
    move(connection, invoice.id, credited_minor=credited, state=_owed_again(connection, invoice))


def _owed_again(connection: sa.Connection, invoice: Invoice) -> str:
    """The state of an unpaid invoice, also of one that notes alone had settled."""
    if invoice.state is not InvoiceState.PAID:
        return invoice.state.value
    has_failed = has_attempt(connection, invoice, (AttemptState.FAILED,))
    return (InvoiceState.PAST_DUE if has_failed else InvoiceState.FINALIZED).value


def _by_id(connection: sa.Connection, id_: str) -> Invoice | None:
    found = load_invoices(connection, invoices.c.id == id_)
    return found[0][0] if found else None


def _check_same(there: Invoice, note: Invoice) -> None:
    if there.total_minor != note.total_minor:
        raise Conflict(
            f"{there.number} was issued by this key, and credits "
            f"{_money(-there.total_minor, there)}; give this note another key"
        )


def _check_creditable(connection: sa.Connection, invoice: Invoice, amount_minor: int) -> None:
    name = invoice.number or invoice.id
    if invoice.state in (InvoiceState.DRAFT, InvoiceState.VOID):
        raise Conflict(f"{name} is {invoice.state}; only an issued invoice is credited")
    if invoice.state is not InvoiceState.PAID:
        check_no_payment_open(connection, invoice)
    left = invoice.total_minor + sum(notes_on(connection, invoice))
    if amount_minor <= 0:
        raise InvalidInput(f"a credit of {_money(amount_minor, invoice)} credits nothing")
    if amount_minor > left:
        wanted = _money(amount_minor, invoice)
        raise Conflict(f"{name} has {_money(left, invoice)} left to credit, not {wanted}")


def _check_line_left(connection: sa.Connection, invoice: Invoice, note: Invoice) -> None:
    """A line is credited whole, so there is nothing left of one that a note has credited."""
    place = credited_place(note)
    if place is None:
        return
    found = [it for it, _ in load_invoices(connection, _by_hand(invoice))]
    if earlier := [it for it in found if credit_same_line(note, it)]:
        left = max(0, sum(it.total_minor for it in earlier) - note.total_minor)
        names = ", ".join(it.number or it.id for it in earlier)
        raise Conflict(
            f"line {place} of {invoice.number} was credited by {names}, {_money(left, invoice)} "
            f"are left of it, not {_money(-note.total_minor, invoice)}; void that note first, or "
            "credit an --amount"
        )


def _money(amount_minor: int, invoice: Invoice) -> Money:
    return Money(amount_minor, invoice.currency)


def _settle(connection: sa.Connection, invoice: Invoice, note: Invoice, now_ms: int) -> None:
    """An unpaid invoice is owed less; a paid one leaves a credit."""
    if invoice.state is not InvoiceState.PAID:
        credited = invoice.credited_minor - note.total_minor
        is_settled = credited >= invoice.total_minor
        state = InvoiceState.PAID if is_settled else invoice.state
        move(connection, invoice.id, credited_minor=credited, state=state.value)
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
