"""What must hold of adjusting lines, found from the lines and price lists alone.

It repeats no rule: a cap is kept, a minimum is reached, a discount leaves nothing below zero, a tax
is its rate of its base, credits pay what is due and no more than they hold.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments.buckets import product_of
from pipelines.adjustments.concerned import concerned
from pipelines.columns.engine import database
from pipelines.columns.line_parts import between, ranges_of
from pipelines.columns.tables import lines_by_subscription, table_of
from pipelines.invoices.books import Books
from pipelines.invoices.lines_on_invoices import on_invoices
from pipelines.segments.segment_tables import subscriptions_of
from schemas.invoice import REDUCING_KINDS, InvoiceLine
from schemas.prices import PPM
from schemas.subscription import Subscription

Lines = Collection[InvoiceLine]

_SUSPECTS = (files("pipelines") / "sql" / "checks" / "adjustments.sql").read_text()


def adjustments_hold(books: Books) -> list[str]:
    """What is wrong with the month's adjusting lines, each a finding to read."""
    segments = concerned(books.segments, books.offered)
    if not segments.num_rows:
        return []
    limited, findings = _limited(books), list[str]()
    for tenants, lines in ranges_of(on_invoices(books)):
        own = between(segments, *tenants)
        findings += _of_suspects(own, lines, limited, books)
    return findings


def _limited(books: Books) -> pa.Table:
    """The plans with a minimum or a maximum."""
    plans = (
        (version, name)
        for version, catalog in books.offered.catalogs.items()
        for name, plan in catalog.plans.items()
        if plan.minimum or plan.maximum
    )
    return table_of(plans, {"catalog_version": "int64", "plan": "string"})


def _of_suspects(
    segments: pa.Table, lines: pa.Table, limited: pa.Table, books: Books
) -> Iterator[str]:
    """The findings of those subscriptions of whom a statement is not sure."""
    with database({"segments": segments, "lines": lines, "limited": limited}) as connection:
        found = connection.sql(_SUSPECTS).to_arrow_table()["subscription"].combine_chunks()
    own = lines.filter(pc.is_in(lines["subscription"], value_set=found))
    lines_of = {row["subscription"]: its for row, its in lines_by_subscription(own)}
    theirs = segments.filter(pc.is_in(segments["subscription"], value_set=found))
    for subscription in subscriptions_of(theirs):
        for finding in findings_of(subscription, lines_of.get(subscription.id, ()), books):
            yield f"{subscription.tenant}: {finding}"


def findings_of(subscription: Subscription, lines: Lines, books: Books) -> Iterator[str]:
    """What is wrong with the adjusting lines of one invoice, all of whose lines are given."""
    yield from _limits(subscription, lines, books)
    yield from _discounts(lines)
    yield from _taxes(lines)
    yield from _credits(lines)


def _limits(subscription: Subscription, lines: Lines, books: Books) -> Iterator[str]:
    """Minimum and maximum of each plan that was in force for the whole period.

    What is given back beside it is of a year before, for which a minimum does not make up.
    """
    period = books.billed(subscription)
    parts = subscription.parts(period)
    if len(parts) != 1 or parts[0][1] != period or parts[0][0].phase != "active":
        return
    segment = parts[0][0]
    plan = books.catalogs[segment.catalog_version].plans[segment.plan]
    before = [line for line in lines if line.kind not in (*REDUCING_KINDS, "proration_credit")]
    usage, fees = (
        sum(line.amount_minor for line in before if product_of(line) == product)
        for product in ("usage", "fees")
    )
    most = plan.maximum_minor(subscription.currency)
    if most is not None and usage > most:
        yield f"usage costs {usage}, more than the maximum of {most}"
    least = plan.minimum_minor(subscription.currency)
    if segment.interval == "month" and least is not None and usage + fees < least:
        yield f"fees and usage come to {usage + fees}, less than the minimum of {least}"


def _discounts(lines: Lines) -> Iterator[str]:
    """What is left of each product is not below zero, unless its lines were before."""
    left: Counter[tuple[str, str]] = Counter()
    for line in lines:
        key = product_of(line), line.plan
        if line.kind == "discount" and left[key] + line.amount_minor < 0:
            yield f"a discount of {-line.amount_minor} is on {left[key]} of {key[0]}"
        if line.kind not in ("tax", "credit_applied"):
            left[key] += line.amount_minor


def _taxes(lines: Lines) -> Iterator[str]:
    """A tax on top is its rate of its base to half a unit; one within is a part of its base."""
    for line in lines:
        if line.kind != "tax":
            continue
        base, rate, tax = line.base_minor or 0, line.rate_ppm or 0, line.tax_minor or 0
        if line.amount_minor not in (0, tax):
            yield f"{line.name} adds {line.amount_minor} but is {tax}"
        # A tax of nothing may be one within, which is on less: its base without all such taxes.
        within = 0 if tax else sum(it.rate_ppm or 0 for it in lines if it.base_minor == base)
        if line.amount_minor == tax and 2 * abs(tax * PPM - base * rate) > PPM + within:
            yield f"{line.name} on {base} is {tax}, not its {rate} millionths"
        if line.amount_minor != tax and abs(tax) > abs(base):
            yield f"{line.name} within {base} is {tax}"


def _credits(lines: Lines) -> Iterator[str]:
    """All but the last are used up; nothing is paid beyond what is due."""
    used = [line for line in lines if line.kind == "credit_applied"]
    due = sum(line.amount_minor for line in lines)
    if used and due < 0:
        yield f"credits pay {-due} more than is due"
    for line in used:
        if not 0 < -line.amount_minor <= (line.base_minor or 0):
            yield f"credit {line.name} of {line.base_minor} pays {-line.amount_minor}"
    for line in used[:-1]:
        if -line.amount_minor != line.base_minor:
            yield f"credit {line.name} is passed over with {line.base_minor} in it"
