"""What must hold of a month's lines and invoices, each check a list of findings to read.

An empty list is a pass. The gate is the ledger's (`pipelines.close.closing.reconcile`); Dagster
shows these beside it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.checks.charge_suspects import suspects
from pipelines.invoices.books import Books
from pipelines.invoices.lines_on_invoices import lines_among
from pipelines.rating.fee_wholes import FeeWholes
from pipelines.rating.pools import pool_of, pools
from pipelines.rating.proration import share_of_fee
from pipelines.rating.rating import beyond, overage_amount, price_of, priced_meters
from pipelines.segments.segment_tables import subscriptions_of
from pipelines.segments.segments import parts
from schemas.invoice import (
    ADJUSTING_KINDS,
    USAGE_KINDS,
    InvoiceLine,
)
from schemas.quantity import MOST_MICRO, format_micro
from schemas.subscription import Subscription


def charges_match_usage(books: Books) -> list[str]:
    """Usage lines add up to the usage, overage is what is beyond the pool, amounts are right.

    It starts from each meter's total, so it does not repeat how the lines were made. A statement
    finds whom it may be wrong for; only they are looked at one by one.
    """
    names = suspects(books)
    return findings_of(books, names) if len(names) else []


def findings_of(books: Books, subscriptions: pa.Array) -> list[str]:
    """The findings of some subscriptions, each looked at by itself."""
    segments = books.segments
    own = segments.filter(pc.is_in(segments["subscription"], value_set=subscriptions))
    lines_of = lines_among(subscriptions, books)
    usage_of = books.usage_among(pc.unique(own["tenant"]))
    findings: list[str] = []
    for subscription in subscriptions_of(own):
        lines = lines_of.get(subscription.id, ())
        usage = usage_of.get(subscription.tenant, Counter())
        findings += _quantity_findings(subscription, lines, usage, books)
        for line, due in _dues(subscription, lines, books):
            if line.amount_minor != due:
                what = f"{line.kind} of {line.plan}"
                findings.append(f"{subscription.tenant}: {what} is {line.amount_minor}, not {due}")
    return findings


def _quantity_findings(
    subscription: Subscription,
    lines: Collection[InvoiceLine],
    usage: Counter[tuple[str, int]],
    books: Books,
) -> Iterator[str]:
    period = books.billed(subscription)
    found = parts(subscription, period)
    for meter in sorted(priced_meters(found, books.catalogs)):
        by_pool: Counter[int] = Counter()
        for part in found:
            by_pool[pool_of(part, books.catalogs)] += usage[meter, part.number]
        included = pools(found, meter, period, books.catalogs)
        used = sum(by_pool.values())
        if abs(used) >= MOST_MICRO:  # more than lines say; the comparison holds its tenant
            continue
        due = sum(beyond(own, included[number]) for number, own in by_pool.items())
        of_meter = [
            (line.kind, line.quantity_micro or 0)
            for line in lines
            if line.meter == meter and line.kind in USAGE_KINDS
        ]
        billed = sum(quantity for _, quantity in of_meter)
        over = sum(quantity for kind, quantity in of_meter if kind != "included")
        if (billed, over) != (used, due):
            yield (
                f"{subscription.tenant}: {meter} lines hold {format_micro(billed)}, "
                f"{format_micro(over)} of it beyond the pool, but {format_micro(used)} was used, "
                f"{format_micro(due)} beyond the pool"
            )


def _dues(
    subscription: Subscription, lines: Iterable[InvoiceLine], books: Books
) -> Iterator[tuple[InvoiceLine, int]]:
    """What each line costs by its own figures, and by those of its meter's lines before it."""
    plans = {
        part.period: books.catalogs[part.catalog_version].plans[part.plan]
        for part in parts(subscription, books.billed(subscription))
    }
    wholes = FeeWholes(subscription, books.billed(subscription), books.catalogs)
    reached: Counter[str] = Counter()
    for line in lines:
        if line.kind in ADJUSTING_KINDS:
            continue
        if line.fee_minor is not None:
            yield line, _fee_due(line, line.fee_minor, wholes)
            continue
        before = reached[line.meter or ""]
        if line.kind != "included":
            reached[line.meter or ""] += line.quantity_micro or 0
        card = plans[line.period].meters.get(line.meter or "") if line.kind == "overage" else None
        if card is None or card.overage is None:
            yield line, 0
        else:
            after = reached[line.meter or ""]
            price = price_of(card.overage, line.value)
            yield line, overage_amount(price, before, after, subscription.currency)


def _fee_due(line: InvoiceLine, fee_minor: int, wholes: FeeWholes) -> int:
    whole, proration = wholes.of(line)
    amount_minor = share_of_fee(fee_minor, line.period, whole, proration)
    return -amount_minor if line.kind == "proration_credit" else amount_minor
