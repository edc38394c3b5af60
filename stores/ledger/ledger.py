"""The ledger as one object, made of its parts."""

import time

from schemas.ports import Clock
from stores.ledger.catalogs import Catalogs
from stores.ledger.connection import check_migrated, open_engine
from stores.ledger.epochs import Epochs
from stores.ledger.extras.bookings import Bookings
from stores.ledger.extras.credits import Credits
from stores.ledger.extras.given import Given
from stores.ledger.invoices.corrections import Corrections
from stores.ledger.invoices.credit_notes import CreditNotes
from stores.ledger.invoices.finalizing import Finalizing
from stores.ledger.invoices.invoices import Invoices
from stores.ledger.invoices.overviews import Overviews
from stores.ledger.invoices.releasing import Releasing
from stores.ledger.invoices.review import Review
from stores.ledger.months.closings import Closings
from stores.ledger.months.under_way import UnderWay
from stores.ledger.outbox import Outbox
from stores.ledger.payments.payments import Payments
from stores.ledger.payments.reversals import Reversals
from stores.ledger.payments.uncollected import Uncollected
from stores.ledger.payments.webhooks import Webhooks
from stores.ledger.subscriptions.currencies import Currencies
from stores.ledger.subscriptions.plan_changes import PlanChanges
from stores.ledger.subscriptions.published import Published
from stores.ledger.subscriptions.segments import Segments
from stores.ledger.subscriptions.subscriptions import Subscriptions


def system_clock() -> int:
    """Now, in epoch milliseconds UTC."""
    return time.time_ns() // 1_000_000


class Ledger(
    Catalogs,
    Epochs,
    Subscriptions,
    Currencies,
    Segments,
    PlanChanges,
    Published,
    Closings,
    UnderWay,
    Bookings,
    Credits,
    Given,
    Invoices,
    Finalizing,
    Review,
    Releasing,
    Corrections,
    CreditNotes,
    Overviews,
    Payments,
    Reversals,
    Uncollected,
    Webhooks,
    Outbox,
):
    """Every table of the ledger; implements `ClosingLedger`, `PaymentLedger` and
    `SubscriptionLedger` of `schemas.ledger_ports`.

    Threads may share one. The clock dates what a method's caller does not date itself.
    """

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def connect(url: str, clock: Clock = system_clock) -> Ledger:
    """The ledger at a SQLAlchemy URL (SQLite with a file, or Postgres), migrated already.

    Raises:
        InvalidInput: the URL is wrong.
        DependencyUnreachable: it does not answer, is not there, or has tables of another version.
    """
    engine = open_engine(url)
    check_migrated(engine)
    return Ledger(engine, clock)
