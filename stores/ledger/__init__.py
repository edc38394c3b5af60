"""The ledger: subscriptions, invoices and payments in SQLite or Postgres; no usage.

`migrate(url)` makes or renews its tables, `connect(url)` gives the `Ledger`, which implements
`schemas.ports.ClosingLedger` and `PaymentLedger`.
"""

from stores.ledger.connection import migrate
from stores.ledger.ledger import Ledger, connect, system_clock
from stores.ledger.outbox import BillingEvent
from stores.ledger.subscriptions.subscription_rows import SubscribedTenant
from stores.ledger.subscriptions.subscriptions import SavedCounts

__all__ = [
    "BillingEvent",
    "Ledger",
    "SavedCounts",
    "SubscribedTenant",
    "connect",
    "migrate",
    "system_clock",
]
