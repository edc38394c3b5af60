"""An independent answer to what a month must cost, in DuckDB, from the input files alone."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

PLAN_CHANGES = Path(__file__).parents[2] / "examples" / "data" / "plan_changes.csv"
_STATEMENT = (Path(__file__).parent / "independent.sql").read_text()


@dataclass(frozen=True, slots=True)
class Expected:
    """A tenant's invoice: amounts in minor units, quantities in 1e-6 units."""

    currency: str
    total_minor: int
    quantity_micro: int
    overage_micro: int


def expected_invoices(
    usage: Path, subscriptions: Path, changes: Path = PLAN_CHANGES
) -> dict[str, Expected]:
    """What October 2026 must cost each tenant that has a subscription in it.

    `changes` is the file of commands that change plans within the month.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    rows = connection.execute(
        _STATEMENT,
        {
            "usage": str(usage),
            "subscriptions": str(subscriptions),
            "changes": str(changes),
            "from": "2026-10-01T00:00:00Z",
            "until": "2026-11-01T00:00:00Z",
        },
    ).fetchall()
    return {
        tenant: Expected(currency, total, int(quantity), int(overage))
        for tenant, currency, total, quantity, overage in rows
    }


def tokens_by_tenant(usage: Path) -> dict[str, int]:
    """Every tenant's tokens in the usage file, in 1e-6 units."""
    statement = (
        "SELECT tenant, (sum(input_tokens + output_tokens)::HUGEINT * 1000000)::VARCHAR "
        "FROM read_parquet($usage) GROUP BY tenant"
    )
    rows = duckdb.connect().execute(statement, {"usage": str(usage)}).fetchall()
    return {tenant: int(quantity) for tenant, quantity in rows}
