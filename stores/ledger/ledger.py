"""The ledger as one object, made of its parts."""

import time

from schemas.ports import Clock
from stores.ledger.bookings import Bookings
from stores.ledger.catalogs import Catalogs
from stores.ledger.closings import Closings
from stores.ledger.connection import check_migrated, open_engine
from stores.ledger.corrections import Corrections
from stores.ledger.credits import Credits
from stores.ledger.epochs import Epochs
from stores.ledger.finalizing import Finalizing
from stores.ledger.given import Given
from stores.ledger.invoices import Invoices
from stores.ledger.outbox import Outbox
from stores.ledger.overviews import Overviews
from stores.ledger.payments import Payments
from stores.ledger.plan_changes import PlanChanges
from stores.ledger.published import Published
from stores.ledger.review import Review
from stores.ledger.segments import Segments
from stores.ledger.subscriptions import Subscriptions
from stores.ledger.webhooks import Webhooks


def system_clock() -> int:
    """Now, in epoch milliseconds UTC."""
    return time.time_ns() // 1_000_000


class Ledger(
    Catalogs,
    Epochs,
    Subscriptions,
    Segments,
    PlanChanges,
    Published,
    Closings,
    Bookings,
    Credits,
    Given,
    Invoices,
    Finalizing,
    Review,
    Corrections,
    Overviews,
    Payments,
    Webhooks,
    Outbox,
):
    """Every table of the ledger; implements `ClosingLedger`, `PaymentLedger` and
    `SubscriptionLedger` of `schemas.ports`.

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
