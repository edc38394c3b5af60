"""`countinghouse reconcile MONTH --invoices`: counter, warehouse and invoice, and what differs."""

import typer

from countinghouse.cli.tables import chosen_format, show
from pipelines.three_way import ThreeWay
from schemas.quantity import format_micro

COLUMNS = (
    "tenant", "meter", "counter", "warehouse", "invoice", "late", "duplicate", "in_flight", "lost",
)  # fmt: skip


def show_three(rows: list[ThreeWay], *, every: bool, as_script: bool) -> bool:
    """Print the rows, those with a cause alone unless all are wanted; is anything lost?"""
    shown = rows if every or as_script else [row for row in rows if row.causes]
    show(COLUMNS, map(_row, shown), chosen_format(as_json=as_script, as_csv=False))
    told = (
        f"{sum(cause in row.causes for row in rows):,} {cause}"
        for cause in ("late", "duplicate", "in flight", "lost")
    )
    typer.echo(f"{len(rows):,} compared three ways: {', '.join(told)}", err=True)
    return any(row.lost_micro for row in rows)


def _row(row: ThreeWay) -> tuple[str | None, ...]:
    figures = (
        row.counter_micro,
        row.warehouse_micro,
        row.invoiced_micro,
        row.late_micro,
        row.duplicate_micro,
        row.in_flight_micro,
        row.lost_micro,
    )
    return row.tenant, row.meter, *(None if it is None else format_micro(it) for it in figures)
