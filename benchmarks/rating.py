"""How fast a month is rated in bulk, beside the specification tenant by tenant.

    python -m benchmarks.rating --tenants 1000000

Makes subscriptions of a price list of five meters (graduated, volume, package and by the unit, in
three currencies; a tenth of them change the plan in mid-month) and their usage in memory, prices a
sample by both engines and checks that every line is equal, then all of them in bulk. Reading usage
from the warehouse and writing lines to the ledger are not in these figures. CPU is the process's
own, all threads; memory is its peak, the subscriptions and usage in it included.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.alone import alone
from pipelines.columns.tables import as_table, lines_by_subscription
from pipelines.rating import bulk_rating
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import rate_usage
from pipelines.segments.segment_tables import segment_table
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from schemas.tables import USAGE_COLUMNS

MONTH = BillingPeriod.month("2026-10")
CURRENCIES = ("USD", "CNY", "JPY")
PLANS = {"small": (1, 1), "middle": (4, 20), "large": (16, 90)}
"""Of each plan what it includes and its fee, as a multiple of the smallest."""
BLOCK = 50_000
METERS = ("calls", "executions", "seats", "storage", "tokens")

Lines = list[tuple[str, tuple[InvoiceLine, ...]]]


def price_list() -> Catalog:
    """Three plans of five meters, each price in three currencies."""
    meters = {name: {"event_type": name, "aggregation": "count"} for name in METERS}
    plans = {
        name: {"base_fee": _price(10 * fee), "meters": _cards(included)}
        for name, (included, fee) in PLANS.items()
    }
    body = {"name": "five", "currencies": CURRENCIES, "default_plan": "small"}
    return Catalog.model_validate(body | {"meters": meters, "plans": plans})


def _price(cents: int) -> dict[str, str]:
    """An amount of so many US cents, in yuan and yen at some rate of their own."""
    yen = cents * 3 // 2
    return {"USD": f"{cents / 100:.2f}", "CNY": f"{cents * 7 / 100:.2f}", "JPY": str(yen)}


def _cards(included: int) -> dict[str, dict[str, Any]]:
    """What a plan says of the five meters: every fifth use goes beyond what is included."""
    bounds, steps = (50_000, 500_000), (4, 3, 2)
    tiers = [
        {"price": _price(step)} | ({"up_to": bound} if bound else {})
        for bound, step in zip((*bounds, None), steps, strict=True)
    ]
    return {
        "tokens": {
            "included": 800_000 * included,
            "overage": {"model": "graduated", "tiers": tiers},
        },
        "executions": {
            "included": 800_000 * included,
            "overage": {"model": "volume", "tiers": tiers},
        },
        "calls": {
            "included": 800_000 * included,
            "overage": {"model": "package", "per": 1000, "price": _price(5)},
        },
        "storage": {"included": 0, "overage": {"price": _price(50)}},
        "seats": {"included": 950_000 * included, "overage": {"price": _price(900)}},
    }


class Month:
    """A made-up month: the first tenants of a larger one are those of a smaller one."""

    def __init__(self, tenants: int) -> None:
        self.catalogs = {1: price_list()}
        self.tenants = tenants
        blocks = (range(n, min(n + BLOCK, tenants)) for n in range(0, tenants, BLOCK))
        self.segments = pa.concat_tables(segment_table(map(subscription_of, it)) for it in blocks)
        self.usage = _usage(tenants)

    def subscriptions(self) -> Iterator[Subscription]:
        """As the specification takes them; the bulk engine takes a table, as the ledger has it."""
        return map(subscription_of, range(self.tenants))

    def bulk(self) -> int:
        """Rate as the close does, part after part; how many lines."""
        rating = bulk_rating.BulkRating(self.segments, MONTH, self.catalogs)
        parts = chain(rating.fees(), rating.charges(self.usage))
        return sum(part.num_rows for part in parts)

    def bulk_lines(self) -> tuple[Lines, Lines]:
        """The lines of usage and of fees as the close makes them."""
        charges = bulk_rating.rate_charges(self.usage, self.segments, MONTH, self.catalogs)
        fees = bulk_rating.prorate_fees(self.segments, MONTH, self.catalogs)
        return _of_table(charges), _of_table(fees)

    def specified(self) -> tuple[Lines, Lines]:
        """The same by the specification."""
        used: dict[str, dict[tuple[str, int, str], int]] = {}
        for row in self.usage.to_pylist():
            key = row["meter"], row["segment"], row["value"]
            used.setdefault(row["tenant"], {})[key] = row["quantity_micro"]
        found = list(self.subscriptions())
        charges = [
            (s.id, tuple(rate_usage(s, MONTH, self.catalogs, used[s.tenant]))) for s in found
        ]
        fees = [(s.id, tuple(prorate_fees(s, MONTH, self.catalogs))) for s in found]
        return charges, fees


def subscription_of(ordinal: int) -> Subscription:
    tenant, names = f"tenant-{ordinal:07d}", tuple(PLANS)
    plan, began = names[ordinal % 3], MONTH.start_ms
    segments: tuple[PlanSegment, ...] = (PlanSegment(plan, 1, began, None),)
    if ordinal % 10 == 0:
        change = began + (1 + ordinal * 7 % 2_600_000) * 1000
        later = PlanSegment(names[(ordinal + 1) % 3], 1, change, None)
        segments = (PlanSegment(plan, 1, began, change), later)
    currency = CURRENCIES[ordinal // 3 % 3]
    return Subscription(f"sub_{tenant}", tenant, currency, GOOD_CARD, segments)


def _usage(tenants: int) -> pa.Table:
    """Five meters in each part: from nothing to a quarter more than the smallest plan includes."""
    blocks = [_usage_of(np.arange(n, min(n + BLOCK, tenants))) for n in range(0, tenants, BLOCK)]
    return as_table(pa.concat_tables(blocks), USAGE_COLUMNS)


def _usage_of(ordinals: np.ndarray[Any, Any]) -> pa.Table:
    """The rows of some tenants, by tenant, meter and segment."""
    tables = []
    for segment, own in ((1, ordinals), (2, ordinals[ordinals % 10 == 0])):
        names = pa.array([f"tenant-{ordinal:07d}" for ordinal in own])
        for place, meter in enumerate(METERS):
            quantity = (own * 7_919 + place * 104_729 + segment * 1_299_709) % 1_000_000
            columns = {
                "tenant": names,
                "meter": pa.repeat(meter, len(own)),
                "segment": pa.repeat(pa.scalar(segment, pa.int32()), len(own)),
                "value": pa.repeat("", len(own)),
                "quantity_micro": pa.array(quantity * MICRO),
                "events": pa.repeat(pa.scalar(1, pa.int64()), len(own)),
            }
            tables.append(pa.table(columns))
    order = [(name, "ascending") for name in ("tenant", "meter", "segment")]
    return pa.concat_tables(tables).sort_by(order).combine_chunks()


def _of_table(lines: pa.Table) -> Lines:
    return [(row["subscription"], own) for row, own in lines_by_subscription(lines)]


def main() -> None:
    """Rate the sample by both engines and compare the lines, then the month in bulk."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=10_000, help="tenants that both engines rate")
    asked = parser.parse_args()
    sample = Month(min(asked.sample, asked.tenants))
    print(f"{'engine':<34}{'tenants':>10}{'seconds':>9}{'CPU s':>8}{'lines':>12}{'µs/tenant':>11}")
    _compare(sample)
    small = _measured("bulk", sample.tenants, sample.bulk)
    large = alone(_rate_all, asked.tenants)
    print(f"a tenant takes {large / small:.2f} times as long")


def _rate_all(tenants: int) -> float:
    """Rate the whole month in this process, whose memory holds nothing else."""
    month = Month(tenants)
    rows = f"{month.usage.num_rows:,} rows of usage"
    print(f"{rows}; {_resident_mib():,} MiB are in use before rating", flush=True)
    seconds = _measured("bulk", month.tenants, month.bulk)
    print(f"peak {_peak_mib():,} MiB", flush=True)
    return seconds


def _compare(sample: Month) -> None:
    wanted: list[tuple[Lines, Lines]] = []

    def specify() -> int:
        wanted.append(sample.specified())
        return sum(len(own) for kind in wanted[0] for _, own in kind)

    _measured("specification, tenant by tenant", sample.tenants, specify)
    for found, specified in zip(sample.bulk_lines(), wanted[0], strict=True):
        if found != [each for each in specified if each[1]]:
            raise SystemExit("the lines differ")
    print("every line of the sample is equal by both engines")


def _measured(name: str, tenants: int, work: Callable[[], int]) -> float:
    """Print one row of the table; returns the wall-clock seconds a tenant."""
    wall, cpu = time.perf_counter(), time.process_time()
    lines = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    each = wall / tenants
    figures = f"{tenants:>10,}{wall:>9.2f}{cpu:>8.2f}{lines:>12,}{each * 1e6:>11.2f}"
    print(f"{name:<34}{figures}", flush=True)
    return each


def _resident_mib() -> int:
    return psutil.Process().memory_info().rss // 2**20


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
