"""What use cases need of the ledger, as Protocols; `stores.ledger` implements them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from schemas.catalog import Catalog
from schemas.closing import Closing
from schemas.extras import Extras, Kept
from schemas.invoice import Invoice, InvoiceState, MonthTotal
from schemas.payment import AttemptState, PaymentAttempt, ProviderEvent, ProviderPayment
from schemas.period import BillingPeriod
from schemas.plan_change import Decide
from schemas.reversal import Reversal
from schemas.subscription import Subscription
from schemas.tables import HEAD_COLUMNS, ArrowStream

LineWork = Literal["charges", "prorations", "adjustments", "corrections"]
LINE_WORKS: tuple[LineWork, ...] = ("prorations", "charges", "adjustments", "corrections")
"""All of them, in the order of their lines on an invoice."""
RATED: tuple[LineWork, ...] = ("prorations", "charges")
"""What adjustments follow from."""

TenantRange = tuple[str | None, str | None]
"""Tenants from the first to before the second, by name; None has no bound."""
EVERYBODY: TenantRange = (None, None)


class ClosingLedger(Protocol):
    """The ledger, as the month's close reads and writes it. Each write replaces its slice."""

    def catalogs(self) -> dict[int, Catalog]:
        """Every version of the price list."""

    def catalog(self, version: int | None = None) -> tuple[int, Catalog]:
        """A version of the price list, the newest without one. Raises NotFound."""

    def subscriptions(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> list[Subscription]:
        """Subscriptions that exist for any part of the period, by tenant; all, or these alone."""

    def segments(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> ArrowStream:
        """The same as a table of all their segments (`SEGMENT_COLUMNS`)."""

    def tenants_replanned(
        self, until_ms: int, since_ms: int, tenants: Collection[str] | None = None
    ) -> set[str]:
        """Whose plans of a time up to an instant were changed since another; of all, or these."""

    def closing(self, month: str) -> Closing | None:
        """The month's closing, if one was opened."""

    def opened_closings(self) -> list[Closing]:
        """Every closing that was opened, awaited ones not, in the order in which they were."""

    def save_closing(self, closing: Closing) -> None:
        """Insert or replace a closing that is not closed; a closed one stays (Conflict)."""

    def replace_usage(self, month: str, usage: ArrowStream) -> None:
        """The month's usage (`USAGE_COLUMNS`), whole, by tenant, meter, segment and value."""

    def usage(self, month: str) -> ArrowStream:
        """What `replace_usage` stored, in its order; no batch cuts a tenant."""

    def replace_billed_segments(self, month: str, segments: ArrowStream) -> None:
        """Whose plans the month bills (`SEGMENT_COLUMNS`), as they are when its usage is cut."""

    def billed_segments(self, month: str) -> ArrowStream | None:
        """What `replace_billed_segments` stored; None before it did."""

    def replace_lines(self, month: str, work: LineWork, lines: ArrowStream) -> None:
        """The month's lines of one kind of work (`LINE_COLUMNS`), whole.

        They are by tenant, subscription and ordinal.
        """

    def lines(self, month: str, works: Sequence[LineWork] = LINE_WORKS) -> ArrowStream:
        """Lines, by tenant, subscription, work (in the order of `LINE_WORKS`) and ordinal."""

    def extras(self, month: str) -> Extras:
        """What tenants have beside their plans, as the month's invoices may use it.

        Of a credit what no finalized invoice has used, and no draft counts on of an earlier month,
        or of a closed one, where it is not made again.
        """

    def replace_drafts(self, month: str, parts: Iterable[tuple[ArrowStream, ArrowStream]]) -> int:
        """Replace the month's drafts; invoices finalized already are left alone and counted.

        Each part are the drafts (`DRAFT_COLUMNS`) and the lines (`INVOICE_LINE_COLUMNS`) of some
        invoices, 25,000 at most.
        """

    def invoice_heads(self, month: str, columns: Mapping[str, str] = HEAD_COLUMNS) -> ArrowStream:
        """The month's invoices and notes in any state: these columns, some of `RECORD_COLUMNS`.

        By tenant, subscription, kind and id.
        """

    def invoice_lines(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        """Their lines (`INVOICE_LINE_COLUMNS`); those of an invoice are together and in order."""

    def invoice_documents(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        """Their documents (`DOCUMENT_COLUMNS`)."""

    def record_reconciliation(self, month: str, rows: ArrowStream) -> None:
        """The month's comparison (`RECONCILIATION_COLUMNS`), whole, by tenant and meter.

        Finalizing reads it. Raises Conflict when the month is closed.
        """

    def reconciliation(self, month: str) -> ArrowStream:
        """What was recorded, by tenant and meter."""

    def is_reconciled(self, month: str) -> bool:
        """Is a comparison recorded that compares anything?"""

    def hold(self, month: str, reasons: Mapping[str, str]) -> None:
        """Set why drafts of these tenants are held, and clear it from the others."""

    def override(self, month: str, tenant: str, who: str, why: str) -> None:
        """Let a held tenant's draft be finalized; name and reason go to the audit log.

        A person's hold is taken back, a difference that the comparison has found is overridden.

        Raises:
            NotFound: the tenant has no draft in the month. Conflict: the month is closed, and
                others have used the credits that the draft counts on.
        """

    def finalize(self, month: str, seller: str, issued_ms: int, due_ms: int) -> int:
        """Finalize and number all drafts that are not held, in one transaction; how many.

        Numbers go on in the series of seller and month, in (tenant, subscription) order. An
        invoice of zero becomes `paid` at once. The closing becomes `closed`. A tenant without a
        recorded reconciliation is not finalized.

        Raises:
            ReconciliationFailed: the month is open; there are drafts, and no comparison of them.
        """

    def month_totals(self, first: str, last: str) -> list[MonthTotal]:
        """What months from the first to the last come to, by month, currency and state."""

    def invoices(
        self,
        month: str | None = None,
        states: Sequence[InvoiceState] = (),
        tenant: str | None = None,
    ) -> list[Invoice]:
        """Invoices with their lines, by month, tenant, subscription."""

    def invoices_of(self, tenants: Collection[str]) -> list[Invoice]:
        """All invoices and notes of these tenants that are not void, by month, tenant, id."""


class CorrectionLedger(ClosingLedger, Protocol):
    """The ledger, as commands on finalized invoices use it. Each is one transaction."""

    def invoice(self, name: str) -> Invoice:
        """The invoice of a number, or of an id. Raises NotFound."""

    def void_invoice(self, name: str, who: str, why: str) -> bool:
        """Make an invoice void, and give back the credits it used; False if it is void already.

        What a credit note has taken off an invoice is owed again.

        Raises:
            NotFound: no such invoice. Conflict: it is a draft, paid, credited by a note, or a
                payment of it is under way; a note on what was paid since.
        """

    def replace_void(
        self, name: str, remade: Invoice, who: str, seller: str, dates: tuple[int, int]
    ) -> Invoice:
        """Finalize an invoice in the place of a void one, with the next number of its month.

        A second time it is the one that is there. Raises Conflict: the other is not void.
        """

    def issue_credit_note(
        self, note: Invoice, who: str, why: str, seller: str, dates: tuple[int, int]
    ) -> tuple[Invoice, Kept]:
        """Finalize a note that credits an invoice; one of the same id is `unchanged` from then on.

        Raises:
            NotFound: no such invoice. Conflict: it is a draft or void, less than that is left of
                it, a payment of it is under way, or the note of the id credits something else.
        """


class SubscriptionLedger(Protocol):
    """The ledger, as commands on subscriptions use it."""

    def catalogs(self) -> dict[int, Catalog]:
        """Every version of the price list."""

    def decide_on(
        self,
        names: Sequence[str],
        decide: Decide,
        now_ms: int,
        *,
        opening: Subscription | None = None,
        in_closed_months: bool = False,
    ) -> None:
        """Show each tenant's subscription to `decide` and write what it says, in one transaction.

        `opening` stands for a tenant that has none. A timeline that changes raises the tenant's
        entitlement version and is told as a billing event.

        Raises:
            NotFound: a tenant has no subscription. PeriodClosed: a change reaches into a closed
                month; nothing is written.
        """

    def tenants_due(self, now_ms: int) -> list[str]:
        """Tenants whose state has changed by time or payments unrecorded, in order."""

    def tenants_holding(self, plan: str, catalog_version: int, now_ms: int) -> list[str]:
        """Tenants with a plan by a version of the price list, now or later, in order."""


class PaymentLedger(Protocol):
    """The ledger, as collection uses it."""

    def collectable(self, month: str) -> list[Invoice]:
        """Finalized invoices of the month with an amount due and no attempt that may still pay."""

    def open_attempt(self, invoice: Invoice, provider: str, now_ms: int) -> PaymentAttempt | None:
        """Store the next attempt as `submitting`; None if one is open or the invoice is paid."""

    def record_attempt(self, attempt: str, payment: ProviderPayment, now_ms: int) -> None:
        """Move an attempt forward (never back); paid or past due follows for its invoice."""

    def attempts(
        self, month: str | None = None, states: Sequence[AttemptState] = ()
    ) -> list[PaymentAttempt]:
        """Attempts by invoice and ordinal."""

    def attempt_of(self, provider: str, reference: str) -> PaymentAttempt | None:
        """The attempt that a provider's reference belongs to."""

    def record_reversals(self, attempt: str, told: Sequence[Reversal], now_ms: int) -> None:
        """Move what went back of a payment forward (never back); its sum stands on the invoice."""

    def paid_through(self, since_ms: int) -> list[str]:
        """The providers through which something was paid since an instant."""

    def reversals(
        self, month: str | None = None, invoice: str | None = None
    ) -> dict[str, tuple[Reversal, ...]]:
        """What went back, by attempt: of a month's invoices, of one, or of all."""

    def receive_webhook(self, event: ProviderEvent, now_ms: int) -> bool:
        """Store a verified webhook; False if that event id is known already."""

    def pending_webhooks(self, limit: int) -> list[ProviderEvent]:
        """Webhooks stored and not yet acted on, oldest first; at most so many of each provider."""

    def finish_webhook(self, provider: str, event_id: str) -> None:
        """Mark a webhook as acted on."""
