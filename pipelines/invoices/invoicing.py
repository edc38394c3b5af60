"""From priced lines to draft invoices and their documents.

Owns what is in a document and its bytes. Numbers, dates, states and payments lie outside it and
belong to the ledger.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.catalog import catalog_file
from pipelines.columns.tables import lines_by_subscription
from pipelines.rating.fee_terms import is_usual, told_versions
from pipelines.segments.segments import parts
from schemas.catalog import Catalog
from schemas.closing import Closing
from schemas.extras import NOTHING, Given
from schemas.invoice import (
    ADJUSTING_KINDS,
    Invoice,
    InvoiceLine,
    credits_minor,
    invoice_id,
    late_note_id,
    month_billed,
    subtotal_minor,
)
from schemas.money import format_pico
from schemas.period import BillingPeriod, format_instant
from schemas.quantity import format_micro
from schemas.subscription import Subscription
from schemas.tables import ADJUSTING_COLUMNS
from schemas.tax import Buyer

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Basis:
    """What the invoices of a month rest on: the closing, its month, the price lists and their
    hashes, and what tenants have beside their plans."""

    closing: Closing
    month: BillingPeriod
    catalogs: Mapping[int, Catalog]
    catalog_hashes: Mapping[int, str]
    given: Mapping[str, Given] = field(default_factory=dict)


def basis(
    closing: Closing,
    catalogs: Mapping[int, Catalog],
    given: Mapping[str, Given] = MappingProxyType({}),
) -> Basis:
    """The basis of a closing's invoices, whose subscriptions are on these price lists."""
    hashes = {
        version: hashlib.sha256(catalog_file.canonical(catalog)).hexdigest()
        for version, catalog in catalogs.items()
    }
    return Basis(closing, BillingPeriod.month(closing.month), catalogs, hashes, given)


def draft_all(
    lines: pa.Table, subscriptions: Mapping[str, Subscription], rests_on: Basis
) -> Iterator[Invoice]:
    """One draft for each subscription in the lines (`LINE_COLUMNS`), in their order.

    Lines keep the table's order: fees in time order, then usage by meter, segment and kind.
    """
    for row, own in lines_by_subscription(lines):
        yield draft(subscriptions[row["subscription"]], own, rests_on)


def draft_notes(lines: pa.Table, rests_on: Basis) -> Iterator[Invoice]:
    """A draft note for each subscription and month that these corrections are of."""
    for row, own in lines_by_subscription(lines):
        for month, of_month in groupby(own, key=month_billed):
            yield _note(row, month, tuple(of_month), rests_on)


def _note(
    row: Mapping[str, Any], month: str, lines: tuple[InvoiceLine, ...], rests_on: Basis
) -> Invoice:
    tenant, subscription, currency = row["tenant"], row["subscription"], row["currency"]
    corrects, closing = invoice_id(subscription, month), rests_on.closing
    given = rests_on.given.get(tenant, NOTHING)
    document = {
        "tenant": tenant,
        "subscription": subscription,
        "corrects": corrects,
        "period": period_document(lines[0].period),
        "currency": currency,
        "lines": [line_document(line) for line in lines],
        "total_minor": sum(line.amount_minor for line in lines),
        "vector": closing.vector.to_json(),
    }
    encoded = _encode(document | _buyer(given.buyer) | _sums(lines))
    return Invoice(
        id=late_note_id(corrects, closing.month),
        tenant=tenant,
        subscription=subscription,
        month=closing.month,
        currency=currency,
        lines=lines,
        document=encoded,
        document_hash=hashlib.sha256(encoded).hexdigest(),
        kind="note",
        corrects=corrects,
    )


def draft(subscription: Subscription, lines: tuple[InvoiceLine, ...], rests_on: Basis) -> Invoice:
    """A subscription's draft invoice with its document, also for 0.00."""
    document = _encode(_document(subscription, lines, rests_on))
    return Invoice(
        id=invoice_id(subscription.id, rests_on.closing.month),
        tenant=subscription.tenant,
        subscription=subscription.id,
        month=rests_on.closing.month,
        currency=subscription.currency,
        lines=lines,
        document=document,
        document_hash=hashlib.sha256(document).hexdigest(),
    )


def _document(
    subscription: Subscription, lines: tuple[InvoiceLine, ...], rests_on: Basis
) -> dict[str, Any]:
    """Canonical JSON's content: sorted keys, no spaces, UTF-8; integers, texts and no floats."""
    given = rests_on.given.get(subscription.tenant, NOTHING)
    period = subscription.billed_in(rests_on.month)
    versions = {part.catalog_version for part in parts(subscription, period)}
    if not is_usual(subscription, period, rests_on.catalogs):
        versions |= told_versions(subscription, period)
    versions |= {each.catalog_version for each in given.redemptions}
    versions |= {each.catalog_version for each in given.add_ons}
    if any(line.kind == "tax" for line in lines):
        versions.add(rests_on.closing.catalog_version)
    document = {
        "tenant": subscription.tenant,
        "subscription": subscription.id,
        "period": period_document(period),
        "currency": subscription.currency,
        "lines": [line_document(line) for line in lines],
        "total_minor": sum(line.amount_minor for line in lines),
        "catalogs": {str(version): rests_on.catalog_hashes[version] for version in versions},
        "vector": rests_on.closing.vector.to_json(),
    }
    return document | _buyer(given.buyer) | _sums(lines)


def _buyer(buyer: Buyer) -> dict[str, Any]:
    known = {name: value for name, value in asdict(buyer).items() if value is not None}
    return {"buyer": known} if known else {}


def _sums(lines: tuple[InvoiceLine, ...]) -> dict[str, int]:
    """The total's parts, where there is more than fees and usage."""
    if not any(line.kind in ADJUSTING_KINDS for line in lines):
        return {}
    return {
        "subtotal_minor": subtotal_minor(lines),
        "tax_minor": sum(line.tax_minor or 0 for line in lines),
        "credits_minor": credits_minor(lines),
    }


def line_document(line: InvoiceLine) -> dict[str, Any]:
    """A line as a document says it."""
    document = {
        "kind": line.kind,
        "plan": line.plan,
        "period": period_document(line.period),
        "amount_minor": line.amount_minor,
    }
    if line.fee_minor is not None:
        document["fee_minor"] = line.fee_minor
    if line.quantity_micro is not None:
        document["quantity"] = format_micro(line.quantity_micro)
    if line.unit_price_pico is not None:
        document["unit_price"] = format_pico(line.unit_price_pico)
    told = {name: getattr(line, name) for name in ("meter", "value", *ADJUSTING_COLUMNS)}
    return document | {name: value for name, value in told.items() if value is not None}


def period_document(period: BillingPeriod) -> dict[str, str]:
    """A period as a document says it."""
    return {"start": format_instant(period.start_ms), "end": format_instant(period.end_ms)}
