"""Ids that came in two months: the close's audit of first write wins, which is by month."""

from clickhouse_connect.driver.client import Client

from schemas.period import BillingPeriod
from schemas.repeats import RepeatedIds
from schemas.vector import Vector
from stores.warehouse.client import ask
from stores.warehouse.cuts import cut_parameters


class Repeats:
    """One read of `usage_events`, of a month and its two neighbours."""

    _client: Client

    def repeated_ids(self, month: BillingPeriod, as_of: Vector) -> list[RepeatedIds]:
        """Ids of the month that came in the month before or after too, up to a cut."""
        after = BillingPeriod.month_of(month.end_ms)
        asked = {
            "month": int(month.key.replace("-", "")),
            "from_ms": month.reach.start_ms,
            "until_ms": after.end_ms,
            **cut_parameters(as_of),
        }
        rows = ask(self._client, "repeated_ids", asked)
        return [RepeatedIds(tenant, _key(other), *told) for tenant, other, *told in rows]


def _key(yyyymm: int) -> str:
    """202611 → 2026-11."""
    return f"{yyyymm // 100}-{yyyymm % 100:02d}"
