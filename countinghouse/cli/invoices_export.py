"""`countinghouse invoices export --focus MONTH`: a month's charges for cost management tools."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.settings import Settings
from schemas.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa


def export(
    focus: Annotated[str, typer.Option(metavar="MONTH", help="The month, like 2026-10.")],
    out: Annotated[Path, typer.Option(help="A file that ends in .csv or .parquet.")],
) -> None:
    """Write a month's finalized invoices and corrections as FOCUS, one row a line.

    The FinOps Open Cost and Usage Specification: docs/analytics.md says how a line becomes a row.
    """
    from countinghouse.closing_run import check_month
    from pipelines.focus import VERSION, focus_table
    from stores import ledger

    check_month(focus)
    if out.suffix not in (".csv", ".parquet"):
        raise InvalidInput(f"{out} should end in .csv or .parquet")
    settings = Settings()
    invoices = ledger.connect(settings.ledger_url).invoices(focus)
    table = focus_table(invoices, settings.seller)
    try:
        _write(out, table)
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error}") from error
    typer.echo(f"{focus}: {table.num_rows:,} charges as FOCUS {VERSION} in {out}", err=True)


def _write(out: Path, table: "pa.Table") -> None:
    from pipelines.focus import in_text
    from stores.bundles import write_parquet

    if out.suffix == ".parquet":
        write_parquet(out, table)
        return
    with out.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(in_text(table))
