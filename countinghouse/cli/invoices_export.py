"""`countinghouse invoices export --focus MONTH`: a month's charges for cost management tools."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.progress import shown
from countinghouse.settings import Settings
from countinghouse.whole_file import writing
from schemas.closing import ClosingState
from schemas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.invoices.books import Books
    from schemas.ledger_ports import ClosingLedger


def export(
    focus: Annotated[str, typer.Option(metavar="MONTH", help="The month, like 2026-10.")],
    out: Annotated[Path, typer.Option(help="A file that ends in .csv or .parquet.")],
) -> None:
    """Write a month's finalized invoices and corrections as FOCUS, one row a line.

    The FinOps Open Cost and Usage Specification: docs/analytics.md says how a line becomes a row.
    """
    from countinghouse.closing_run import check_month
    from pipelines.invoices.books import Books
    from pipelines.reports.focus import VERSION, focus_tables
    from stores import ledger

    check_month(focus)
    if out.suffix not in (".csv", ".parquet"):
        raise InvalidInput(f"{out} should end in .csv or .parquet")
    settings = Settings()
    with closing(ledger.connect(settings.ledger_url)) as kept, shown("charges") as progress:
        books = Books(focus, kept)
        _check_issued(books, kept)
        charges = _write(out, focus_tables(books, settings.seller, progress))
    typer.echo(f"{focus}: {charges:,} charges as FOCUS {VERSION} in {out}", err=True)


def _check_issued(books: "Books", kept: "ClosingLedger") -> None:
    """An empty file says that nothing was billed, which nobody knows before the month is closed."""
    opened = kept.closing(books.month)
    is_closed = opened is not None and opened.state is ClosingState.CLOSED
    if not is_closed and books.records["number"].null_count == books.records.num_rows:
        raise NotFound(
            f"{books.month} is not closed and has no finalized invoices; "
            f"`countinghouse close {books.month}` makes them once it is over"
        )


def _write(out: Path, tables: "Iterable[pa.Table]") -> int:
    """The file, whole or as it was before; how many rows it has."""
    from pipelines.reports.focus_text import in_text
    from stores.bundles import write_parquet

    counts: list[int] = []
    counted = _counted(tables, counts)
    with writing(out) as unfinished:
        if out.suffix == ".parquet":
            write_parquet(unfinished, counted)
        else:
            with unfinished.open("w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(in_text(counted))
    return sum(counts)


def _counted(tables: "Iterable[pa.Table]", counts: list[int]) -> "Iterator[pa.Table]":
    for table in tables:
        counts.append(table.num_rows)
        yield table
