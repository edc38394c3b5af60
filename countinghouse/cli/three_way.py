"""`countinghouse reconcile MONTH --invoices`: counter, warehouse and invoice, and what differs."""

import typer

from countinghouse.cli.tables import chosen_format, show
from pipelines.checks.month_ways import Compared
from pipelines.checks.three_way import CAUSES, ThreeWay
from schemas.quantity import format_micro

COLUMNS = (
    *("tenant", "meter", "counter", "warehouse", "invoice"),
    *(cause.replace(" ", "_") for cause in CAUSES),
)


def show_three(found: Compared, *, as_script: bool) -> bool:
    """Print the rows; is anything lost?"""
    rows = found.rows
    show(COLUMNS, map(_row, rows), chosen_format(as_json=as_script, as_csv=False))
    told = (f"{sum(cause in row.causes for row in rows):,} {cause}" for cause in CAUSES)
    typer.echo(f"{found.count:,} compared three ways: {', '.join(told)}", err=True)
    return any(row.lost_micro for row in rows)


def _row(row: ThreeWay) -> tuple[str | None, ...]:
    figures = (row.counter_micro, row.warehouse_micro, row.invoiced_micro, *row.by_cause.values())
    return row.tenant, row.meter, *(None if it is None else format_micro(it) for it in figures)
