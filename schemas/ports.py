"""What use cases need of the log, the warehouse, providers and the clock, as Protocols.

`pipelines` receives these as arguments; `stores` and `payments` implement them. What is needed of
the ledger is in `ledger_ports`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from schemas.catalog import Catalog
from schemas.closing import CountersCompared
from schemas.late_usage import LateRow
from schemas.meter import Meter
from schemas.payment import PaymentAttempt, ProviderEvent, ProviderPayment
from schemas.period import BillingPeriod
from schemas.repeats import RepeatedIds
from schemas.reversal import Reversal
from schemas.tables import ArrowStream
from schemas.vector import Vector


class Clock(Protocol):
    """Now, in epoch milliseconds UTC."""

    def __call__(self) -> int: ...


class Log(Protocol):
    """How far `usage.events` reaches and how far it has been read."""

    def ends(self) -> Vector:
        """End offset of each partition of the live topic."""

    def landed(self) -> Vector:
        """What landing has put into the warehouse and committed, of all topics there were."""

    def drained(self) -> Vector:
        """Where the topics before the live one ended; counters and landing have read them."""


class UsageReader(Protocol):
    """The warehouse, as the month's close reads it."""

    def counted(self) -> Vector:
        """The counters' positions whose rows are all in the warehouse's `counters` table."""

    def usage(
        self,
        month: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        meters: Iterable[Meter],
        *,
        only_bounded: bool = False,
    ) -> ArrowStream:
        """Exact usage by tenant, meter, segment and value (`USAGE_COLUMNS`), cut by the vector.

        `bounds` have a row a tenant: `tenant`, and `bounds`, a list of instants that rise; an
        event's segment is the number of bounds at or before its time. A tenant without a row has
        segment 0 only, or with `only_bounded` none. `meters` say how each is aggregated (see
        `pipelines.usage.metering`); one that is not among them is added up. `month` may be any
        billing period.
        """

    def compare_counters(
        self, month: BillingPeriod, catalog: Catalog, log: Log
    ) -> CountersCompared:
        """Every counter whose window begins in the month beside the warehouse, as of one position.

        Waits a while for landing to come as far as the counters; see `CountersCompared.behind`.
        """

    def totals(
        self,
        month: BillingPeriod,
        as_of: Vector,
        meters: Iterable[Meter],
        tenants: Collection[str] | None = None,
    ) -> ArrowStream:
        """Usage by tenant and meter (`TOTAL_COLUMNS`) by another statement than `usage`.

        It is an independent check.
        """

    def late(self, period: BillingPeriod, after: Vector, until: Vector) -> set[str]:
        """Tenants with usage of the period in the log beyond one cut and before another."""

    def late_rows(
        self,
        period: BillingPeriod,
        after: Vector,
        until: Vector,
        tenants: Collection[str],
        meters: Collection[str],
    ) -> list[LateRow]:
        """What these tenants used of these meters beyond the cut, by tenant and meter."""

    def repeated_ids(self, month: BillingPeriod, as_of: Vector) -> list[RepeatedIds]:
        """Ids of the month that came in the month before or after too, by tenant and month."""


class PaymentProvider(Protocol):
    """Who collects, for several threads. Calls with the same key are the same payment, for ever."""

    name: str

    def charge(self, attempt: PaymentAttempt) -> ProviderPayment:
        """Ask for the money, off-session.

        Raises:
            DependencyUnreachable: it is not known what became of the call.
        """

    def fetch(self, attempt: PaymentAttempt) -> ProviderPayment | None:
        """What became of the attempt, by its reference or else its key; None if never received."""

    def reversals(self, payment: str | None = None, since_ms: int = 0) -> Iterable[Reversal]:
        """Refunds and disputes of a payment, by its reference, or of all; made since an instant.

        Each as it stands now. Payments of others may be among those of all.

        Raises:
            DependencyUnreachable, InvalidInput: it is not known; also while they are gone through.
        """

    def verify_webhook(self, headers: Mapping[str, str], raw: bytes) -> ProviderEvent:
        """Check a webhook's signature and age. Raises InvalidInput."""
