"""How fast a month is rated in bulk, beside the specification tenant by tenant.

    python -m benchmarks.rating --tenants 100000

Makes subscriptions of the shipped price list (a tenth of them upgrade in mid-month) and their
usage in memory, prices them by both engines in one process and checks that every line is equal.
Reading usage from the warehouse and writing lines to the ledger are not in these figures. CPU is
the process's own, all threads.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipelines import bulk_rating, catalog_file
from pipelines.proration import prorate_fees
from pipelines.rating import rate_usage
from pipelines.segments import parts
from pipelines.tables import lines_by_subscription, table_of
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from schemas.tables import USAGE_COLUMNS

PRICES = Path(__file__).parent.parent / "examples/catalogs/llm_tokens.yaml"
MONTH = BillingPeriod.month("2026-10")
PLANS = ("free", "pro", "enterprise")
METERS = ("tokens", "input_tokens", "output_tokens")

Lines = list[tuple[str, tuple[InvoiceLine, ...]]]


class Month:
    """A made-up month: the same for the same number of tenants."""

    def __init__(self, tenants: int) -> None:
        self.catalogs: dict[int, Catalog] = {1: catalog_file.parse(PRICES.read_text(), PRICES.name)}
        self.subscriptions = [_subscription(ordinal) for ordinal in range(tenants)]
        self.usage = [dict(_usage(n, s)) for n, s in enumerate(self.subscriptions)]
        self.table = table_of(
            (
                (s.tenant, *key, quantity, 1)
                for s, used in zip(self.subscriptions, self.usage, strict=True)
                for key, quantity in used.items()
            ),
            USAGE_COLUMNS,
        )

    def bulk(self) -> tuple[pa.Table, pa.Table]:
        """Usage lines and fee lines as the close makes them."""
        return (
            bulk_rating.rate_charges(self.table, self.subscriptions, MONTH, self.catalogs),
            bulk_rating.prorate_fees(self.subscriptions, MONTH, self.catalogs),
        )

    def specified(self) -> tuple[Lines, Lines]:
        """The same by the specification."""
        charges = [
            (s.id, tuple(rate_usage(s, MONTH, self.catalogs, used)))
            for s, used in zip(self.subscriptions, self.usage, strict=True)
        ]
        fees = [(s.id, tuple(prorate_fees(s, MONTH, self.catalogs))) for s in self.subscriptions]
        return charges, fees


def _subscription(ordinal: int) -> Subscription:
    tenant, plan = f"tenant-{ordinal:07d}", PLANS[ordinal % 3]
    began, change = MONTH.start_ms, MONTH.start_ms + (1 + ordinal % 2_000_000) * 1000
    segments = [PlanSegment(plan, 1, began, None)]
    if ordinal % 10 == 0:
        upgraded = PlanSegment(PLANS[(ordinal + 1) % 3], 1, change, None)
        segments = [PlanSegment(plan, 1, began, change), upgraded]
    return Subscription(f"sub_{tenant}", tenant, "USD", GOOD_CARD, tuple(segments))


def _usage(ordinal: int, subscription: Subscription) -> Iterator[tuple[tuple[str, int, str], int]]:
    """Three meters in every part, from nothing to twice what enterprise includes."""
    for part in parts(subscription, MONTH):
        for n, meter in enumerate(METERS):
            yield (meter, part.number, ""), (ordinal * 7_919 + n * 104_729) % 20_000_000 * MICRO


def _of_table(lines: pa.Table) -> Lines:
    return [(row["subscription"], own) for row, own in lines_by_subscription(lines)]


def main() -> None:
    """Rate the month by both engines, compare the lines, print both speeds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tenants", type=int, default=100_000)
    month = Month(parser.parse_args().tenants)
    print(f"{len(month.subscriptions):,} tenants, {month.table.num_rows:,} rows of usage\n")
    print(f"{'engine':<34}{'seconds':>9}{'CPU s':>9}{'lines':>12}{'lines/s':>12}")
    clock = _Stopwatch()
    charges, fees = month.bulk()
    bulk_s = clock.tell("bulk: two DuckDB statements", charges.num_rows + fees.num_rows)
    clock = _Stopwatch()
    specified = month.specified()
    lines = sum(len(own) for kind in specified for _, own in kind)
    slow_s = clock.tell("specification: tenant by tenant", lines)
    for table, wanted in zip((charges, fees), specified, strict=True):
        if _of_table(table) != [each for each in wanted if each[1]]:
            raise SystemExit("the lines differ")
    print(f"\nevery line is equal; bulk is {slow_s / bulk_s:.1f} times as fast")


class _Stopwatch:
    """Wall-clock and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def tell(self, name: str, lines: int) -> float:
        """Print one row of the table; returns the wall-clock seconds."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        print(f"{name:<34}{wall:>9.2f}{cpu:>9.2f}{lines:>12,}{lines / wall:>12,.0f}")
        return wall


if __name__ == "__main__":
    main()
