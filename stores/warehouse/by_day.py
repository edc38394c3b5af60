"""Usage by day, kept for pages: a month is added up beside the table and then taken over whole.

Owns when a month's days change: at once, all of them. Readers see the month before or after, never
a part, also when the filling is killed or done twice at a time.
"""

from uuid import uuid4

from clickhouse_connect.driver.client import Client

from schemas.period import BillingPeriod
from stores.warehouse.client import ask, reachable, statement

_COUNT = "SELECT count() FROM {beside:Identifier}"


def fill_by_day(client: Client, month: BillingPeriod, filled_ms: int) -> int:
    """Add up the calendar month's usage by day as it is now; how many rows it came to.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    beside, partition = f"usage_by_day_{uuid4().hex}", month.key.replace("-", "")
    span = {"start_ms": month.start_ms, "end_ms": month.end_ms, "filled_ms": filled_ms}
    with reachable(client.uri):
        _drop_abandoned(client)
        client.command(f"CREATE TABLE {beside} AS usage_by_day")
        try:
            client.command(statement("fill_usage_by_day"), parameters={"beside": beside, **span})
            [[rows]] = client.query(_COUNT, parameters={"beside": beside}).result_rows
            # An empty month has no partition that could be taken over.
            change = f"REPLACE PARTITION {partition} FROM {beside}"
            change = change if rows else f"DROP PARTITION {partition}"
            client.command(f"ALTER TABLE usage_by_day {change}")
        finally:
            client.command(f"DROP TABLE IF EXISTS {beside}")
    return int(rows)


def _drop_abandoned(client: Client) -> None:
    """Drop what killed fillings have left; none takes a day."""
    for (name,) in ask(client, "abandoned_by_day"):
        client.command(f"DROP TABLE IF EXISTS {name}")
