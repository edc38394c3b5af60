"""Usage beyond a cut: whose it is, and how late it came.

Owns the two reads of late usage; what it costs is computed in `pipelines.corrections.late_usage`.
"""

from collections.abc import Collection

from clickhouse_connect.driver.client import Client

from schemas.late_usage import LateRow
from schemas.period import BillingPeriod
from schemas.vector import Vector
from stores.warehouse.client import ask
from stores.warehouse.cuts import as_arrays, bounds_slice, cut_parameters, unbounded


class LateUsage:
    """Reads of `metered_usage` between two cuts through the log."""

    _client: Client

    def late(self, period: BillingPeriod, after: Vector, until: Vector) -> set[str]:
        """Tenants with usage of the period in the log beyond one cut and before another."""
        return {tenant for (tenant,) in ask(self._client, "late", _between(period, after, until))}

    def late_rows(
        self,
        period: BillingPeriod,
        after: Vector,
        until: Vector,
        tenants: Collection[str],
        meters: Collection[str],
    ) -> list[LateRow]:
        """What these tenants used of these meters beyond the cut, by tenant and meter."""
        with bounds_slice(self._client, unbounded(tenants)) as names:
            asked = {**_between(period, after, until), "slice": names, "meters": sorted(meters)}
            return [LateRow(*row) for row in ask(self._client, "late_rows", asked)]


def _between(period: BillingPeriod, after: Vector, until: Vector) -> dict[str, object]:
    until_keys, until_ends = as_arrays(until)
    return {
        "start_ms": period.start_ms,
        "end_ms": period.end_ms,
        **cut_parameters(after),
        "until_keys": until_keys,
        "until_ends": until_ends,
    }
