"""The adjusting lines of a month for all tenants at once, in a few DuckDB statements.

Its lines are those of `pipelines.adjustments.invoice`, one by one; it owns only the speed. All
arithmetic is in HUGEINT, which raises on overflow.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

import duckdb
import pyarrow as pa

from pipelines.adjustments import bulk_tables as rows
from pipelines.adjustments.offered import Offered
from pipelines.columns.engine import database
from pipelines.columns.tables import as_table, table_of
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, ITEM_COLUMNS
from schemas.period import BillingPeriod
from schemas.tables import LINE_COLUMNS

_SQL = files("pipelines") / "sql" / "adjustments"
_STATEMENTS = (
    "tables", "bookings", "take", "maximum", "maximum_lines", "minimum", "discounts", "discount",
    "discount_lines", "taxes", "credits", "adjusting",
)  # fmt: skip
_CORRECTED = {"subscription": "string", "amount_minor": "int64"}
_TEXTS = {name: (_SQL / f"{name}.sql").read_text() for name in _STATEMENTS}


def adjust_lines(
    rated: pa.Table,
    segments: pa.Table,
    month: BillingPeriod,
    offered: Offered,
    *,
    corrected: Mapping[str, int] = MappingProxyType({}),
) -> pa.Table:
    """The adjusting lines (`LINE_COLUMNS`) of subscriptions, by tenant, subscription, ordinal.

    `segments` (`SEGMENT_COLUMNS`) are the subscriptions, by tenant and subscription. Each is
    adjusted for the billing period of its own that ends in the calendar month. `rated` are fee and
    usage lines in their order, of these subscriptions and perhaps of others. `corrected` is what
    corrections add to what is due, by subscription; credits alone pay for them.

    Raises:
        duckdb.Error: an amount does not fit 64 bits; nothing wraps.
    """
    with database(_tables(rated, segments, month, offered)) as connection:
        connection.register("corrected", table_of(corrected.items(), _CORRECTED))
        for name in ("tables", "bookings"):
            connection.execute(_TEXTS[name])
        _limit(connection)
        _discount(connection)
        for name in ("taxes", "credits"):
            connection.execute(_TEXTS[name])
        return as_table(connection.sql(_TEXTS["adjusting"]).to_arrow_table(), LINE_COLUMNS)


def _limit(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("maximum", "take", "maximum_lines", "minimum"):
        connection.execute(_TEXTS[name])


def _discount(connection: duckdb.DuckDBPyConnection) -> None:
    """Turn by turn: each discount takes from what the one before has left."""
    connection.execute(_TEXTS["discounts"])
    last = connection.execute("SELECT coalesce(max(turn), 0) FROM discounts").fetchone() or (0,)
    for turn in range(1, last[0] + 1):
        for name in ("discount", "take", "discount_lines"):
            connection.execute(_TEXTS[name].replace("$turn", str(turn)))


def _tables(
    rated: pa.Table, segments: pa.Table, month: BillingPeriod, offered: Offered
) -> dict[str, pa.Table]:
    extras, catalogs = offered.extras, offered.catalogs
    # DuckDB may read a table's rows in any order; this is theirs.
    place = pa.array(range(rated.num_rows), pa.int64())
    return {
        "rated": rated.append_column("place", place),
        "segments": rows.segments(segments, month),
        "terms": rows.terms(catalogs),
        "add_ons": rows.add_ons(extras.add_ons, catalogs),
        "redemptions": rows.redemptions(extras.redemptions, catalogs),
        "items": as_table(extras.items, ITEM_COLUMNS),
        "credits": as_table(extras.credits, CREDIT_COLUMNS),
        "buyers": as_table(extras.buyers, BUYER_COLUMNS),
        "rules": rows.rules(offered.taxes),
    }
