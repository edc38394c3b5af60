"""What tenants have used in a period, as far as it is stored: for people to look at.

Nothing is billed by it; the month's close reads as of a vector (see `usage`).
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.quantity import MICRO_DIGITS
from schemas.vector import Vector
from stores.warehouse.client import ask
from stores.warehouse.usage import WarehouseUsage


class Used(NamedTuple):
    """A tenant's quantity of a meter in units, its events and the time of the last one."""

    tenant: str
    meter: str
    quantity: Decimal
    events: int
    last_event: datetime | None


def used_so_far(
    client: Client, period: BillingPeriod, meters: Iterable[Meter], tenant: str, meter: str
) -> list[Used]:
    """Every tenant's usage of every meter, in order; an empty tenant or meter is all.

    Each meter is aggregated as it is billed; a gauge holds its last value to the period's end.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    asked = {"start_ms": period.start_ms, "end_ms": period.end_ms}
    rows = ask(client, "usage_by_tenant", {**asked, "tenant": tenant, "meter": meter})
    found = {(row[0], row[1]): Used(*row) for row in rows}
    others = [each for each in meters if not each.is_additive and meter in ("", each.name)]
    for key, micro in _of_others(client, period, others).items():
        if tenant in ("", key[0]):
            quantity = Decimal(micro).scaleb(-MICRO_DIGITS)
            events = found.get(key, Used(*key, quantity, 0, None))
            found[key] = events._replace(quantity=quantity)
    return [found[key] for key in sorted(found)]


def _of_others(
    client: Client, period: BillingPeriod, others: list[Meter]
) -> Counter[tuple[str, str]]:
    """What meters that do not add up have come to, by tenant and meter."""
    quantities: Counter[tuple[str, str]] = Counter()
    if others:
        stored = {(epoch, partition): end for epoch, partition, end in ask(client, "stored")}
        for row in WarehouseUsage(client, 0).others(period, Vector(stored), others).to_pylist():
            quantities[row["tenant"], row["meter"]] += row["quantity_micro"]
    return quantities
