"""Invoices after they were finalized: void and made again. Never edited.

A void invoice keeps its number and lines; what takes its place is a row of its own with the next
number of the series. Each is told as a billing event and in the audit log. A credit note is made
void like an invoice; see `credit_notes` for what it has done.
"""

import sqlalchemy as sa

from schemas.errors import Conflict
from schemas.invoice import Invoice, InvoiceState
from schemas.payment import AttemptState
from stores.ledger.extras.credit_use import (
    apply_credits,
    check_covered,
    give_back,
    issued_with_credits,
    lock_grants,
)
from stores.ledger.extras.credits import grant_negatives, withdraw_grant
from stores.ledger.invoices.credit_notes import notes_on, take_back
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
from stores.ledger.tables.invoice_tables import invoices


class Corrections(LedgerPart):
    """Moves that follow finalizing; each checks the invoice's state under its lock."""

    def void_invoice(self, name: str, who: str, why: str) -> bool:
        """Make an invoice void, and give back the credits it used; False if it is void already.

        What a credit note has taken off an invoice is owed again.

        Raises:
            NotFound: no such invoice. Conflict: it is a draft, paid, credited by a note, below
            zero and used, or a payment of it is under way; a note on what was paid since.
        """
        with self._writing() as connection:
            invoice = locked(connection, name)
            if invoice.state is InvoiceState.VOID:
                return False
            _check_voidable(connection, invoice)
            now_ms = self._clock()
            _withdraw(connection, invoice)
            returned = give_back(connection, invoice.id, now_ms)
            move(connection, invoice.id, state=InvoiceState.VOID.value)
            told = {"why": why, "credits_returned": returned}
            tell(connection, "invoice.voided", invoice, who, now_ms, told)
            return True

    def replace_void(
        self, name: str, remade: Invoice, who: str, seller: str, dates: tuple[int, int]
    ) -> Invoice:
        """Finalize an invoice in the place of a void one, with the next number of its month.

        A second time it is the one that is there.

        Raises:
            NotFound: no such invoice. Conflict: it is not void, or a credit that it counts on was
            used meanwhile.
        """
        with self._writing() as connection:
            void = locked(connection, name)
            if void.state is not InvoiceState.VOID:
                raise Conflict(f"{name} is {void.state}; only a void invoice is made again")
            if there := _live(connection, void):
                return there
            made = issue(connection, remade, seller, dates)
            _use_credits(connection, made.month, seller, dates[0])
            grant_negatives(connection, made.month, seller, dates[0])
            told = {"replaces": void.number, "total_minor": made.total_minor}
            tell(connection, "invoice.regenerated", made, who, dates[0], told)
            return made


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


def _use_credits(connection: sa.Connection, month: str, seller: str, now_ms: int) -> None:
    issued = issued_with_credits(month, seller, now_ms)
    lock_grants(connection, issued)
    apply_credits(connection, month, seller, now_ms)
    check_covered(connection, month, issued, "run `countinghouse invoices regenerate` again")


def _check_voidable(connection: sa.Connection, invoice: Invoice) -> None:
    name = invoice.number or invoice.id
    remedy = f"credit it: `invoices credit-note {name}`"
    if invoice.state is InvoiceState.DRAFT:
        raise Conflict(f"{name} is a draft; close its month again instead")
    if has_attempt(connection, invoice, (AttemptState.SUCCEEDED,)):
        raise Conflict(f"{name} is paid; {remedy}")
    check_no_payment_open(connection, invoice)
    if invoice.credited_minor or notes_on(connection, invoice):
        raise Conflict(f"{name} has credit notes; {remedy}")


def _withdraw(connection: sa.Connection, invoice: Invoice) -> None:
    """Undo what an invoice or note below zero has given: a credit, or else less to be owed."""
    if invoice.total_minor >= 0:
        return
    if not withdraw_grant(connection, invoice.tenant, invoice.number or ""):
        take_back(connection, invoice)
