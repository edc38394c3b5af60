"""The ledger: subscriptions, invoices and payments in SQLite or Postgres; no usage.

`migrate(url)` makes or renews its tables, `connect(url)` gives the `Ledger`, which implements
`ClosingLedger` and `PaymentLedger` of `schemas.ledger_ports`.
"""

from stores.ledger.ledger import Ledger, connect, system_clock
from stores.ledger.outbox import BillingEvent
from stores.ledger.subscriptions.subscription_rows import SubscribedTenant
from stores.ledger.subscriptions.subscriptions import SavedCounts


def migrate(url: str) -> None:
    """Make the ledger's tables, or bring them up to this version; a second run changes nothing.

    Raises:
        DependencyUnreachable: the ledger does not answer; InvalidInput: its URL is wrong.
    """
    from stores.ledger import migrating

    migrating.migrate(url)


__all__ = [
    "BillingEvent",
    "Ledger",
    "SavedCounts",
    "SubscribedTenant",
    "connect",
    "migrate",
    "system_clock",
]
