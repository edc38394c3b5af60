"""From priced lines to draft invoices and their documents.

Owns what is in a document and its bytes. Numbers, dates, states and payments lie outside it and
belong to the ledger.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from pipelines import catalog_file
from pipelines.segments import parts
from pipelines.tables import lines_by_subscription
from schemas.catalog import Catalog
from schemas.closing import Closing
from schemas.invoice import Invoice, InvoiceLine, invoice_id
from schemas.money import format_pico
from schemas.period import BillingPeriod, format_instant
from schemas.quantity import format_micro
from schemas.subscription import Subscription

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Basis:
    """What the invoices of a month rest on: the closing, its period, the price lists' hashes."""

    closing: Closing
    period: BillingPeriod
    catalog_hashes: Mapping[int, str]


def basis(closing: Closing, catalogs: Mapping[int, Catalog]) -> Basis:
    """The basis of a closing's invoices, whose subscriptions are on these price lists."""
    hashes = {
        version: hashlib.sha256(catalog_file.canonical(catalog)).hexdigest()
        for version, catalog in catalogs.items()
    }
    return Basis(closing, BillingPeriod.month(closing.month), hashes)


def draft_all(
    lines: pa.Table, subscriptions: Mapping[str, Subscription], rests_on: Basis
) -> Iterator[Invoice]:
    """One draft for each subscription in the lines (`LINE_COLUMNS`), in their order.

    Lines keep the table's order: fees in time order, then usage by meter, segment and kind.
    """
    for row, own in lines_by_subscription(lines):
        yield draft(subscriptions[row["subscription"]], own, rests_on)


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
    versions = {part.catalog_version for part in parts(subscription, rests_on.period)}
    return {
        "tenant": subscription.tenant,
        "subscription": subscription.id,
        "period": _period(rests_on.period),
        "currency": subscription.currency,
        "lines": [_line(line) for line in lines],
        "total_minor": sum(line.amount_minor for line in lines),
        "catalogs": {str(version): rests_on.catalog_hashes[version] for version in versions},
        "vector": rests_on.closing.vector.to_json(),
    }


def _line(line: InvoiceLine) -> dict[str, Any]:
    document = {
        "kind": line.kind,
        "plan": line.plan,
        "period": _period(line.period),
        "amount_minor": line.amount_minor,
    }
    if line.fee_minor is not None:
        document["fee_minor"] = line.fee_minor
    if line.meter is not None and line.quantity_micro is not None:
        document |= {"meter": line.meter, "quantity": format_micro(line.quantity_micro)}
    if line.value is not None:
        document["value"] = line.value
    if line.unit_price_pico is not None:
        document["unit_price"] = format_pico(line.unit_price_pico)
    return document


def _period(period: BillingPeriod) -> dict[str, str]:
    return {"start": format_instant(period.start_ms), "end": format_instant(period.end_ms)}
