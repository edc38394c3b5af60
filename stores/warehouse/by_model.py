"""What tenants used of each model in a month, as of its closing's cut: for costs, not for bills."""

from collections.abc import Iterator, Mapping, Sequence

from clickhouse_connect.driver.client import Client

from schemas.costs import ModelUse
from schemas.period import BillingPeriod
from schemas.vector import Vector
from stores.warehouse.client import ask
from stores.warehouse.cuts import cut_parameters


def used_by_model(
    client: Client,
    month: BillingPeriod,
    as_of: Vector,
    meters: Sequence[str],
    anchored: Mapping[str, BillingPeriod],
) -> list[ModelUse]:
    """Usage of every tenant for the month, of the `anchored` for their own period.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    found = [use for use in _read(client, month, as_of, meters) if use.tenant not in anchored]
    for period in sorted(set(anchored.values())):
        own = _read(client, period, as_of, meters)
        found += [use for use in own if anchored.get(use.tenant) == period]
    return found


def _read(
    client: Client, period: BillingPeriod, as_of: Vector, meters: Sequence[str]
) -> Iterator[ModelUse]:
    asked = {
        "start_ms": period.start_ms,
        "end_ms": period.end_ms,
        "meters": list(meters),
        **cut_parameters(as_of),
    }
    return (ModelUse(*row) for row in ask(client, "usage_by_model", asked))
