"""Usage beyond a cut: whose it is, and how late it came.

Owns the two reads of late usage; what it costs is computed in `pipelines.late_usage`.
"""

from collections.abc import Collection

from clickhouse_connect.driver.client import Client

from schemas.late_usage import LateRow
from schemas.period import BillingPeriod
from schemas.vector import Vector
from stores.warehouse.client import ask


class LateUsage:
    """Reads of `metered_usage` between two cuts through the log."""

    _client: Client

    def late(self, period: BillingPeriod, after: Vector, until: Vector) -> set[str]:
        """Tenants with usage of the period in the log beyond one cut and before another."""
        return {tenant for (tenant,) in ask(self._client, "late", _between(period, after, until))}

    def late_rows(
        self, period: BillingPeriod, after: Vector, until: Vector, tenants: Collection[str]
    ) -> list[LateRow]:
        """What these tenants used in the period beyond the cut, by tenant and meter."""
        asked = {**_between(period, after, until), "tenants": sorted(tenants)}
        return [LateRow(*row) for row in ask(self._client, "late_rows", asked)]


def _between(period: BillingPeriod, after: Vector, until: Vector) -> dict[str, object]:
    keys, ends = as_arrays(after)
    until_keys, until_ends = as_arrays(until)
    span = {"start_ms": period.start_ms, "end_ms": period.end_ms}
    cuts = {"keys": keys, "ends": ends, "until_keys": until_keys, "until_ends": until_ends}
    return {**span, **cuts}


def as_arrays(cut: Vector) -> tuple[list[int], list[int]]:
    """The vector as two arrays; epochs begin at 1, so the key 0 stands for nothing."""
    keys = [epoch << 16 | partition for epoch, partition in cut]
    return keys or [0], list(cut.values()) or [0]
