"""A payment ledger and a provider in memory, with the rules that collection relies on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock, get_ident
from typing import Any

from schemas.errors import BillingError, Conflict, DependencyUnreachable
from schemas.invoice import Invoice, InvoiceLine, InvoiceState
from schemas.payment import (
    AttemptState,
    PaymentAttempt,
    ProviderEvent,
    ProviderPayment,
    attempt_id,
)
from schemas.period import BillingPeriod
from schemas.reversal import Reversal, ReversalKind, ReversalState
from schemas.subscription import GOOD_CARD

MONTH = "2026-10"
NOW_MS = 1_793_500_000_000


def a_clock() -> int:
    """A clock that stands still."""
    return NOW_MS


def an_invoice(tenant: str = "acme", amount_minor: int = 2736) -> Invoice:
    """A finalized invoice of one line."""
    line = InvoiceLine("base_fee", "pro", BillingPeriod.month(MONTH), amount_minor)
    return Invoice(
        id=f"{tenant}:{MONTH}",
        tenant=tenant,
        subscription=tenant,
        month=MONTH,
        currency="USD",
        lines=(line,),
        document=b"{}",
        document_hash="",
        state=InvoiceState.FINALIZED,
    )


def an_attempt(tenant: str = "acme", card: str = GOOD_CARD, **changes: object) -> PaymentAttempt:
    """A submitting attempt at `an_invoice`."""
    invoice = an_invoice(tenant)
    identity = attempt_id(invoice.id, 1)
    attempt = PaymentAttempt(
        identity, invoice.id, tenant, "sandbox", 2736, "USD", card, f"key-{identity}"
    )
    return replace(attempt, **changes)  # type: ignore[arg-type]


@dataclass
class LedgerInMemory:
    """`PaymentLedger` without a database."""

    invoices: dict[str, Invoice] = field(default_factory=dict)
    rows: dict[str, PaymentAttempt] = field(default_factory=dict)
    inbox: dict[tuple[str, str], ProviderEvent] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)
    cards: dict[str, str] = field(default_factory=dict)
    went_back: dict[str, dict[str, Reversal]] = field(default_factory=dict)

    def add(self, *invoices: Invoice) -> None:
        """Put finalized invoices in."""
        self.invoices |= {invoice.id: invoice for invoice in invoices}

    def collectable(self, month: str) -> list[Invoice]:
        return [i for i in self.invoices.values() if i.month == month and self._is_due(i)]

    def open_attempt(self, invoice: Invoice, provider: str, now_ms: int) -> PaymentAttempt | None:
        if self.invoices[invoice.id].state is InvoiceState.VOID:
            raise Conflict(f"invoice {invoice.id} is void; nothing of it is collected")
        if not self._is_due(self.invoices[invoice.id]):
            return None
        ordinal = sum(row.invoice == invoice.id for row in self.rows.values()) + 1
        attempt = PaymentAttempt(
            id=attempt_id(invoice.id, ordinal),
            invoice=invoice.id,
            tenant=invoice.tenant,
            provider=provider,
            amount_minor=invoice.total_minor,
            currency=invoice.currency,
            card=self.cards.get(invoice.tenant, GOOD_CARD),
            key=f"key-{invoice.id}-{ordinal}",
        )
        self.rows[attempt.id] = attempt
        return attempt

    def record_attempt(self, attempt: str, payment: ProviderPayment, now_ms: int) -> None:
        row = self.rows[attempt]
        if payment.amount_minor != row.amount_minor:
            raise Conflict(f"{attempt}: took {payment.amount_minor} for {row.amount_minor}")
        if row.state.is_final:
            return
        row = replace(
            row, state=payment.state, reference=payment.reference, failure=payment.failure
        )
        self.rows[attempt] = row
        if row.state.is_final:
            paid = row.state is AttemptState.SUCCEEDED
            state = InvoiceState.PAID if paid else InvoiceState.PAST_DUE
            self.invoices[row.invoice] = replace(self.invoices[row.invoice], state=state)

    def attempts(
        self, month: str | None = None, states: Sequence[AttemptState] = ()
    ) -> list[PaymentAttempt]:
        rows = self.rows.values()
        return [row for row in rows if not states or row.state in states]

    def attempt_of(self, provider: str, reference: str) -> PaymentAttempt | None:
        rows = self.rows.values()
        return next((r for r in rows if (r.provider, r.reference) == (provider, reference)), None)

    def record_reversals(self, attempt: str, told: Sequence[Reversal], now_ms: int) -> None:
        own = self.went_back.setdefault(attempt, {})
        for each in told:
            if each.currency != self.rows[attempt].currency:
                raise Conflict(f"{attempt}: {each.reference} is in {each.currency}")
            if each.reference not in own or each.state.is_after(own[each.reference].state):
                own[each.reference] = each

    def paid_through(self, since_ms: int) -> list[str]:
        paid = [row for row in self.rows.values() if row.state is AttemptState.SUCCEEDED]
        return sorted({row.provider for row in paid})

    def reversals(
        self, month: str | None = None, invoice: str | None = None
    ) -> dict[str, tuple[Reversal, ...]]:
        return {attempt: tuple(own.values()) for attempt, own in self.went_back.items() if own}

    def receive_webhook(self, event: ProviderEvent, now_ms: int) -> bool:
        key = (event.provider, event.event_id)
        return self.inbox.setdefault(key, event) is event

    def pending_webhooks(self, limit: int) -> list[ProviderEvent]:
        left = [e for key, e in self.inbox.items() if key not in self.done]
        providers = {event.provider for event in left}
        kept = [[e for e in left if e.provider == name][:limit] for name in providers]
        return [event for event in left if any(event in own for own in kept)]

    def finish_webhook(self, provider: str, event_id: str) -> None:
        self.done.add((provider, event_id))

    def _is_due(self, invoice: Invoice) -> bool:
        open_states = (AttemptState.SUBMITTING, AttemptState.PROCESSING, AttemptState.SUCCEEDED)
        rows = [row for row in self.rows.values() if row.invoice == invoice.id]
        is_open = invoice.state in (InvoiceState.FINALIZED, InvoiceState.PAST_DUE)
        return is_open and not any(row.state in open_states for row in rows)


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@dataclass
class WatchedLedger(LedgerInMemory):
    """Notes the threads that write to it."""

    writers: set[int] = field(default_factory=set)

    def record_attempt(self, attempt: str, payment: ProviderPayment, now_ms: int) -> None:
        self.writers.add(get_ident())
        super().record_attempt(attempt, payment, now_ms)


@dataclass
class ProviderInMemory:
    """`PaymentProvider` that keeps payments by key.

    `trouble` happens once, in the next charge; `faults` in each call that is about such a tenant.
    """

    name: str = "sandbox"
    declines: Mapping[str, str] = field(default_factory=dict)
    payments: dict[str, ProviderPayment] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    is_down: bool = False
    decides_at_once: bool = False
    trouble: BaseException | None = None
    faults: Mapping[str, BillingError] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    went_back: dict[str, Reversal] = field(default_factory=dict)

    def charge(self, attempt: PaymentAttempt) -> ProviderPayment:
        with self.lock:
            return self._charge(attempt)

    def _charge(self, attempt: PaymentAttempt) -> ProviderPayment:
        self._answer(attempt)
        self.calls.append(attempt.key)
        payment = ProviderPayment(
            f"pay_{attempt.key}",
            AttemptState.PROCESSING,
            attempt.amount_minor,
            attempt.currency,
        )
        payment = self.payments.setdefault(attempt.key, payment)
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        return payment

    def fetch(self, attempt: PaymentAttempt) -> ProviderPayment | None:
        self._answer(attempt)
        if self.decides_at_once:
            self.decide()
        return self.payments.get(attempt.key)

    def reversals(self, payment: str | None = None, since_ms: int = 0) -> list[Reversal]:
        if self.is_down:
            raise DependencyUnreachable("the provider does not answer")
        recent = [it for it in self.went_back.values() if it.at_ms >= since_ms]
        return [it for it in recent if payment in (None, it.payment)]

    def take_back(self, invoice: str, reference: str, **changes: Any) -> ProviderEvent:
        """A refund or dispute of an invoice's payment, or a change of it; the webhook of it."""
        [payment] = [it for key, it in self.payments.items() if key == f"key-{invoice}-1"]
        new = Reversal(
            payment=payment.reference,
            reference=reference,
            kind=ReversalKind.DISPUTE if reference.startswith("dp") else ReversalKind.REFUND,
            state=ReversalState.SETTLED,
            amount_minor=1000,
            currency="USD",
            at_ms=NOW_MS,
        )
        told = replace(self.went_back.get(reference, new), **changes)
        self.went_back[reference] = told
        event = f"evt_{reference}_{told.state}"
        return ProviderEvent(self.name, event, f"{told.kind}.{told.state}", payment.reference, b"")

    def verify_webhook(self, headers: Mapping[str, str], raw: bytes) -> ProviderEvent:
        raise NotImplementedError

    def decide(self) -> list[ProviderEvent]:
        """Decide every payment by the tenant in its key; the webhooks that tell of it."""
        for key, payment in self.payments.items():
            failure = next((why for tenant, why in self.declines.items() if tenant in key), None)
            state = AttemptState.FAILED if failure else AttemptState.SUCCEEDED
            self.payments[key] = replace(payment, state=state, failure=failure)
        return [
            ProviderEvent(self.name, f"evt_{p.reference}", f"payment.{p.state}", p.reference, b"")
            for p in self.payments.values()
        ]

    def _answer(self, attempt: PaymentAttempt) -> None:
        if self.is_down:
            raise DependencyUnreachable("the provider does not answer")
        if attempt.tenant in self.faults:
            raise self.faults[attempt.tenant]
