"""What the ledger's tests are made of: a price list, subscriptions, drafts, a month to finalize."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipelines.invoices.draft_tables import drafts_of
from schemas.closing import Closing
from schemas.invoice import Invoice, InvoiceLine, LineKind, invoice_id
from schemas.payment import AttemptState, PaymentAttempt, ProviderPayment
from schemas.period import BillingPeriod, parse_instant
from schemas.reversal import Reversal, ReversalKind, ReversalState
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from schemas.tables import ADJUSTING_COLUMNS, LINE_COLUMNS, RECONCILIATION_COLUMNS, USAGE_COLUMNS
from schemas.vector import Vector
from stores.ledger import Ledger

MONTH = "2026-10"
PERIOD = BillingPeriod.month(MONTH)
NOW = parse_instant("2026-11-01T02:00:00Z")
DUE = parse_instant("2026-11-15T02:00:00Z")
SELLER = "Example Ltd"
CATALOG = (
    b'{"name":"llm","currencies":["USD"],"default_plan":"free","anniversary_billing":true,'
    b'"meters":{"tokens":{"event_type":"llm.request","aggregation":"sum","value":["n"]}},'
    b'"plans":{"free":{"base_fee":{"USD":"0"},"meters":{"tokens":{"included":"100000"}}}}}'
)
DEARER_CATALOG = CATALOG.replace(b'"100000"', b'"50000"')


def at(text: str) -> int:
    """Epoch milliseconds of a day or an instant, UTC."""
    return parse_instant(text if "T" in text else f"{text}T00:00:00Z")


def a_subscription(
    tenant: str, *plans: tuple[str, str], version: int = 1, **changes: Any
) -> Subscription:
    """`plans` are names and first days; each ends where the next begins, the last one is open."""
    chosen = plans or (("free", "2026-10-01"),)
    starts = [at(day) for _, day in chosen]
    ends: list[int | None] = [*starts[1:], None]
    segments = tuple(
        PlanSegment(plan, version, start, end)
        for (plan, _), start, end in zip(chosen, starts, ends, strict=True)
    )
    own = {"currency": "USD", "card": GOOD_CARD, **changes}
    return Subscription(id=f"sub_{tenant}", tenant=tenant, segments=segments, **own)


def a_line(amount_minor: int, kind: LineKind = "base_fee") -> InvoiceLine:
    return InvoiceLine(kind, "pro", PERIOD, amount_minor, fee_minor=amount_minor)


def a_draft(tenant: str, *amounts: int, month: str = MONTH, held: str | None = None) -> Invoice:
    document = json.dumps({"tenant": tenant, "month": month, "amounts": amounts}).encode()
    return Invoice(
        id=invoice_id(f"sub_{tenant}", month),
        tenant=tenant,
        subscription=f"sub_{tenant}",
        month=month,
        currency="USD",
        lines=tuple(map(a_line, amounts or (4999,))),
        document=document,
        document_hash=hashlib.sha256(document).hexdigest(),
        held=held,
    )


def a_closing(month: str = MONTH, **changes: Any) -> Closing:
    own = {"vector": Vector({(1, 0): 5}), "catalog_version": 1, "code_version": "0.1.0"}
    return Closing(month=month, opened_ms=NOW, **{**own, **changes})


def reconciled(tenants: Iterable[str], held: Mapping[str, str] | None = None) -> pa.Table:
    """The comparison of one meter of each of the tenants."""
    reasons = held or {}
    rows = [(it, "tokens", 7, 7, 0, 7, 0, reasons.get(it)) for it in sorted(tenants)]
    return _table(RECONCILIATION_COLUMNS, rows)


def prepare_month(ledger: Ledger, drafts: Sequence[Invoice], month: str = MONTH) -> None:
    """All that finalizing asks for: a closing, drafts, and every tenant's reconciliation."""
    ledger.save_closing(a_closing(month))
    ledger.replace_drafts(month, drafts_of(drafts))
    ledger.record_reconciliation(month, reconciled(draft.tenant for draft in drafts))


def finalized(ledger: Ledger, *drafts: Invoice) -> list[Invoice]:
    """These drafts, finalized."""
    prepare_month(ledger, drafts)
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    return ledger.invoices(MONTH)


def a_payment(attempt: PaymentAttempt, state: str, **changes: Any) -> ProviderPayment:
    own = {"reference": f"pay_{attempt.id}", "failure": None, **changes}
    amount = {"amount_minor": attempt.amount_minor, "currency": attempt.currency}
    return ProviderPayment(state=AttemptState(state), **{**amount, **own})


def a_refund(attempt: PaymentAttempt, **changes: Any) -> Reversal:
    """20.00 of what `a_payment` paid, gone."""
    refund = Reversal(
        payment=f"pay_{attempt.id}",
        reference="re_1",
        kind=ReversalKind.REFUND,
        state=ReversalState.SETTLED,
        amount_minor=2000,
        currency=attempt.currency,
        at_ms=NOW,
    )
    return replace(refund, **changes)


def usage_table(*rows: tuple[str, str, int, int, int]) -> pa.Table:
    """Rows of tenant, meter, segment, quantity, events; no meter has a pricing key."""
    return _table(USAGE_COLUMNS, [(*row[:3], "", *row[3:]) for row in rows])


_REST = (None, None, "pro", 0, 1, None, None, 4999)
"""Meter, value, plan, period, quantity, unit price and fee of a line."""


_NOT_ADJUSTING = (None,) * len(ADJUSTING_COLUMNS)


def line_table(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows of tenant, ordinal, kind, amount; the rest is the same for all."""
    filled = [
        (tenant, f"sub_{tenant}", "USD", ordinal, kind, *_REST, amount, *_NOT_ADJUSTING)
        for tenant, ordinal, kind, amount in rows
    ]
    return _table(LINE_COLUMNS, filled)


def rows_of(stream: object) -> list[tuple[Any, ...]]:
    """An Arrow stream as tuples."""
    table = pa.RecordBatchReader.from_stream(stream).read_all()
    return [tuple(row.values()) for row in table.to_pylist()]


def _table(columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = {
        name: pa.array(column, pa.type_for_alias(kind))
        for (name, kind), column in zip(columns.items(), values, strict=True)
    }
    return pa.table(arrays)
