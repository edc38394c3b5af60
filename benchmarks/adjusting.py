"""How fast what follows from fees and usage is made in bulk, beside the specification.

    python -m benchmarks.adjusting --tenants 100000

Makes a month of fee and usage lines in memory and adjusts it three times: where nobody has
anything beside the plan, where a tenth has a coupon and a credit, and where everybody is taxed
besides. The last is made by the specification as well, and every line must be equal. Reading lines
from the ledger and writing them is not in these figures. CPU is the process's own, all threads.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from pipelines.adjustments.bulk import adjust_lines
from pipelines.adjustments.case import Case
from pipelines.adjustments.concerned import concerned
from pipelines.adjustments.given import given_by_tenant
from pipelines.adjustments.invoice import adjust
from pipelines.adjustments.offered import Offered
from pipelines.catalog import catalog_file
from pipelines.columns.tables import lines_by_subscription, table_of
from pipelines.segments.segment_tables import segment_table
from schemas.catalog import Catalog
from schemas.extras import (
    ADD_ON_COLUMNS,
    BUYER_COLUMNS,
    CREDIT_COLUMNS,
    ITEM_COLUMNS,
    NOTHING,
    REDEMPTION_COLUMNS,
    Extras,
)
from schemas.period import BillingPeriod
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from schemas.tables import LINE_COLUMNS

PRICES = Path(__file__).parent.parent / "examples/catalogs/llm_tokens.yaml"
OFFERS = """
coupons: {WELCOME: {percent: 20%, lasts: forever}}
taxes: [{name: VAT, country: DE, rate: 19%}]
"""
MONTH = BillingPeriod.month("2026-10")
START, END = MONTH.start_ms, MONTH.end_ms


class Month:
    """A made-up month: two lines a tenant, the same for the same number of tenants."""

    def __init__(self, tenants: int) -> None:
        text = PRICES.read_text() + OFFERS
        self.catalogs: dict[int, Catalog] = {1: catalog_file.parse(text, PRICES.name)}
        self.subscriptions = [_subscription(n) for n in range(tenants)]
        self.segments = segment_table(self.subscriptions)
        self.rated = table_of(_lines(self.subscriptions), LINE_COLUMNS)

    def offered(self, *, some: bool, taxed: bool) -> Offered:
        """What tenants have: nothing, a tenth of them coupons and credits, all of them a tax."""
        chosen = [s.tenant for s in self.subscriptions[::10]] if some else []
        extras = Extras(
            table_of(
                ((s.tenant, "DE", None, None) for s in (self.subscriptions if taxed else ())),
                BUYER_COLUMNS,
            ),
            table_of(((t, "WELCOME", 1, START, None) for t in chosen), REDEMPTION_COLUMNS),
            table_of((), ADD_ON_COLUMNS),
            table_of((), ITEM_COLUMNS),
            table_of(
                ((t, "paid", "USD", 3000, START, None, 50, 3000) for t in chosen), CREDIT_COLUMNS
            ),
        )
        return Offered(self.catalogs, self.catalogs[1].taxes, extras)

    def bulk(self, offered: Offered) -> pa.Table | None:
        """The adjusting lines as the close makes them."""
        found = concerned(self.segments, offered)
        return adjust_lines(self.rated, found, MONTH, offered) if found.num_rows else None

    def specified(self, offered: Offered) -> Iterator[tuple[str, tuple[object, ...]]]:
        """The same by the specification."""
        given, subscriptions = given_by_tenant(offered.extras), iter(self.subscriptions)
        for _, lines in lines_by_subscription(self.rated):
            own = next(subscriptions)
            has = given.get(own.tenant, NOTHING)
            case = Case(own, MONTH, self.catalogs, lines, has, offered.taxes)
            yield own.id, tuple(adjust(case))


def _subscription(ordinal: int) -> Subscription:
    tenant = f"tenant-{ordinal:07d}"
    segments = (PlanSegment("pro", 1, START, None),)
    return Subscription(f"sub_{tenant}", tenant, "USD", GOOD_CARD, segments)


def _lines(subscriptions: list[Subscription]) -> Iterator[tuple[object, ...]]:
    rest = (None,) * 5
    for n, s in enumerate(subscriptions):
        own, span = (s.tenant, s.id, "USD"), (START, END)
        yield *own, 0, "base_fee", None, None, "pro", *span, None, None, 4999, 4999, *rest
        amount = n * 7919 % 20_000
        yield *own, 1, "overage", "tokens", None, "pro", *span, 10**6, 8, None, amount, *rest


def _timed(name: str, make: Callable[[], pa.Table | None]) -> pa.Table | None:
    began, cpu = time.perf_counter(), time.process_time()
    made = make()
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = 0 if made is None else made.num_rows
    print(f"{name:<34}{lines:>10,} lines {seconds:7.2f} s, {used:6.2f} s CPU, {peak:.2f} GiB peak")
    return made


def main() -> None:
    """Make the month, adjust it, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--bulk-only", action="store_true", help="Without the specification.")
    arguments = parser.parse_args()
    month = Month(arguments.tenants)
    _timed("nobody has anything", lambda: month.bulk(month.offered(some=False, taxed=False)))
    _timed(
        "a tenth has coupon and credit", lambda: month.bulk(month.offered(some=True, taxed=False))
    )
    everything = month.offered(some=True, taxed=True)
    made = _timed("everybody is taxed besides", lambda: month.bulk(everything))
    if arguments.bulk_only:
        return
    began = time.perf_counter()
    specified = dict(month.specified(everything))
    print(f"{'the specification':<34}{'':>16} {time.perf_counter() - began:7.2f} s")
    bulk = {row["subscription"]: lines for row, lines in lines_by_subscription(made)}
    assert bulk == {name: lines for name, lines in specified.items() if lines}  # noqa: S101
    print("every line is equal")


if __name__ == "__main__":
    main()
