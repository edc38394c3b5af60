"""Which months a collection that failed has left something to collect of."""

import sqlalchemy as sa

from schemas.invoice import InvoiceState
from schemas.payment import AttemptState
from stores.ledger.part import LedgerPart
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.payment_tables import payment_attempts


class Uncollected(LedgerPart):
    """Reads the tables of invoices and of `payments.py`."""

    def leaves_to_collect(self, month: str) -> bool:
        """Is a finalized invoice of the month due that no provider has answered for?

        One whose attempt has failed was asked for; asking again is a person's.
        """
        answered = sa.exists().where(
            payment_attempts.c.invoice == invoices.c.id,
            payment_attempts.c.state != AttemptState.SUBMITTING.value,
        )
        due = sa.select(invoices.c.id).where(
            invoices.c.month == month,
            invoices.c.state == InvoiceState.FINALIZED.value,
            invoices.c.total_minor > invoices.c.credited_minor,
            ~answered,
        )
        with self._reading() as connection:
            return connection.execute(due.limit(1)).first() is not None
