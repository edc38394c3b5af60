"""`countinghouse margin`: what models cost us beside what tenants pay, the largest loss first."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.margin_totals import margin_totals, told_total
from countinghouse.cli.moving import amount
from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import Format, chosen_format, show
from countinghouse.settings import Settings
from schemas.errors import InvalidInput

if TYPE_CHECKING:
    from pipelines.invoices.books import Books
    from pipelines.reports.margin import MarginRow
    from schemas.costs import CostTable, ModelUse

COLUMNS = (
    "tenant", "model", "input", "output", "currency", "revenue", "cost", "margin",
)  # fmt: skip


def margin(
    month: Annotated[str, typer.Argument(help="A month that was closed, like 2026-10.")],
    costs: Annotated[
        list[Path], typer.Option(help="What models cost, YAML; one file for each currency.")
    ],
    as_script: JsonOption = False,
) -> None:
    """Show each tenant's revenue and token costs by model, the largest loss first.

    Revenue is without tax. What a price by model earned is that model's; the rest is shared out by
    tokens, exact to the cent. Costs in another currency stand beside it and are not converted.
    """
    from contextlib import closing

    from countinghouse.closing_run import check_month
    from countinghouse.init import read_text
    from pipelines.catalog.cost_file import parse_costs
    from pipelines.invoices.billed_lines import billed_lines
    from pipelines.invoices.books import Books
    from pipelines.reports.margin import margins
    from stores import ledger

    check_month(month)
    tables = [parse_costs(read_text(file), str(file)) for file in costs]
    settings = Settings()
    with closing(ledger.connect(settings.ledger_url)) as kept, shown("costs and revenue"):
        books = Books(month, kept)
        uses = _uses(settings, books, tables)
        found = margins(billed_lines(books), uses, books.catalogs, tables)
    _tell(found, as_script=as_script)


def _uses(settings: Settings, books: "Books", tables: "Sequence[CostTable]") -> "list[ModelUse]":
    from contextlib import closing

    from stores.warehouse import client
    from stores.warehouse.by_model import used_by_model

    [meters] = _meters(books, tables)
    vector = books.closing.vector
    with closing(client.connect(settings.clickhouse_url)) as warehouse:
        return used_by_model(warehouse, books.period, vector, meters, books.anchored)


def _meters(books: "Books", tables: "Sequence[CostTable]") -> Iterator[tuple[str, str]]:
    """The meters of tokens in and out, which all tables must share and the price list have."""
    known = books.catalogs[books.closing.catalog_version].meters
    named = {(table.input_meter, table.output_meter) for table in tables}
    if len(named) > 1:
        raise InvalidInput("the cost files name different meters; give them the same")
    for pair in named:
        for meter in pair:
            if meter not in known or not known[meter].is_additive:
                summed = ", ".join(each.name for each in known.values() if each.is_additive)
                told = f"{meter} is no meter that adds up tokens"
                raise InvalidInput(
                    f"{told}; name `input_meter` and `output_meter` in the file, of {summed}"
                )
        yield pair


def _tell(rows: "Sequence[MarginRow]", *, as_script: bool) -> None:
    form = chosen_format(as_json=as_script, as_csv=False)
    cells, totals = [_cells(row) for row in rows], margin_totals(rows)
    if form is Format.JSON:
        named = [dict(zip(COLUMNS, each, strict=True)) for each in cells]
        typer.echo(json.dumps({"totals": totals, "rows": named}, indent=1))
        return
    show(COLUMNS, cells, form)
    for each in totals:
        typer.echo(told_total(each), err=True)


def _cells(row: "MarginRow") -> tuple[str | None, ...]:
    from schemas.quantity import format_micro

    margin_minor = row.margin_minor
    cost = amount(row.cost_minor, row.cost_currency)
    return (
        row.tenant,
        row.model,
        format_micro(row.input_micro),
        format_micro(row.output_micro),
        row.currency,
        amount(row.revenue_minor, row.currency),
        cost if margin_minor is not None else f"{row.cost_currency} {cost}",
        None if margin_minor is None else amount(margin_minor, row.currency),
    )
