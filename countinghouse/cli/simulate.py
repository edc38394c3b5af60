"""`countinghouse simulate`: closed months under another price list, per tenant and in total."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.moving import (
    MOVE_COLUMNS,
    move_rows,
    moves_json,
    show_moves,
    summary_json,
)
from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import chosen_format
from countinghouse.settings import Settings
from countinghouse.whole_file import writing
from schemas.errors import InvalidInput

if TYPE_CHECKING:
    from pipelines.reports.movements import Move
    from pipelines.reports.simulation import Simulated


def simulate(
    catalog: Annotated[Path, typer.Option(help="The draft of a price list, YAML.")],
    month: Annotated[list[str], typer.Option(help="A closed month, like 2026-10; repeatable.")],
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="The draft's plan for subscribers of OLD."),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many changes to show per currency.")] = 10,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the changes into this .svg or .html file.")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write every tenant and month into this file.")
    ] = None,
    as_script: JsonOption = False,
) -> None:
    """Price closed months by a draft and show who would have paid more or less.

    Nothing is stored. Every tenant is moved to the draft's plan of the same name; coupons, add-ons
    and credits stay as they are. With the price list in force it gives the real invoices.
    """
    from countinghouse.plots import check_plot, write_plot
    from pipelines.reports.simulation import over_months

    if plot is not None:
        check_plot(plot)
    found = _simulated(catalog, month, _pairs(renamed or ()))
    together = over_months(found)
    if csv_file is not None:
        _write_csv(csv_file, found)
    if plot is not None:
        write_plot(plot, f"{catalog.name}, {', '.join(month)}", together)
    _tell(together, month, top, as_script=as_script)


def _simulated(file: Path, months: Sequence[str], renamed: dict[str, str]) -> "Sequence[Simulated]":
    from countinghouse.closing_run import check_month
    from countinghouse.init import read_text
    from pipelines.catalog import catalog_file
    from pipelines.reports.simulation import simulate as simulate_month
    from pipelines.reports.simulation import unused_names
    from stores import ledger

    for month in months:
        check_month(month)
    draft = catalog_file.parse(read_text(file), str(file))
    books = ledger.connect(Settings().ledger_url)
    unused_names(renamed, months, books)
    found: list[Simulated] = []
    every = sorted(set(months))
    with shown() as progress:
        for month in every:
            progress(f"{month} by {file.name}, months", len(found), len(every))
            found.append(simulate_month(month, draft, books, renamed))
    return found


def _pairs(renamed: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in renamed:
        old, sign, new = text.partition("=")
        if not (old and sign and new):
            raise InvalidInput(f"--map {text}: write it like --map old=new")
        pairs[old] = new
    return pairs


def _write_csv(path: Path, found: "Sequence[Simulated]") -> None:
    with writing(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("month", *MOVE_COLUMNS))
        for it in found:
            writer.writerows((it.month, *row) for row in move_rows(it.moves))


def _tell(moves: "Sequence[Move]", months: Sequence[str], top: int, *, as_script: bool) -> None:
    from pipelines.reports.movements import largest, summarize

    if as_script:
        movers = moves_json(largest(moves, top))
        told = {"totals": summary_json(summarize(moves)), "largest": movers}
        typer.echo(json.dumps({"months": sorted(set(months)), **told}, indent=1))
        return
    show_moves(moves, top, chosen_format(as_json=False, as_csv=False))
