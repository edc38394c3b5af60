"""`countinghouse invoices explain NUMBER [LINE]`: from an amount down to the events behind it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.errors import DependencyUnreachable, InvalidInput
from schemas.invoice import Invoice
from schemas.period import format_instant
from schemas.quantity import format_micro

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.explain.line_events import LineEvents, Told
    from pipelines.invoices.books import Books

COLUMNS = (
    "line", "kind", "meter", "quantity", "events", "of_events", "events_in_all", "digest", "agrees",
)  # fmt: skip
EVENT_COLUMNS = ("time", "source", "id", "quantity", "included", "beyond", "partition", "offset")


def explain(
    number: Annotated[str, typer.Argument(help="The invoice's number, or the id of a draft.")],
    line: Annotated[int | None, typer.Argument(help="Only this line, counted from 1.")] = None,
    events: Annotated[bool, typer.Option("--events", help="List the line's events.")] = False,
    parquet: Annotated[
        Path | None, typer.Option(help="Write the line's events to this Parquet file.")
    ] = None,
    as_script: JsonOption = False,
) -> None:
    """Explain an invoice line by line: its arithmetic, and the events that add up to it.

    The arithmetic is recomputed from the price list. Of a line of usage: how many events there are,
    what they add up to, and their digest, which can be computed again from --parquet; README.md of
    a month's bundle says how.
    """
    from pipelines.explain.explanation import explain_invoice
    from pipelines.invoices.books import Books
    from stores import ledger

    if line is None and (events or parquet):
        raise InvalidInput("--events and --parquet are of one line: name it after the number")
    store = ledger.connect(Settings().ledger_url)
    with suggesting(number, store.invoice_numbers, "invoices list"):
        invoice = store.invoice(number)
    text = explain_invoice(invoice, store)
    books = Books(invoice.month, store, [invoice.tenant])
    if line is not None and (events or parquet):
        _hand_out(invoice, line, books, parquet, as_script=as_script)
    elif line is not None:
        _explain_line(invoice, line, books, text, as_script=as_script)
    else:
        _explain_all(invoice, books, text, as_script=as_script)


def _explain_all(invoice: Invoice, books: "Books", text: str, *, as_script: bool) -> None:
    from pipelines.explain.line_events import usage_lines
    from pipelines.explain.line_words import row

    told, problem = evidence(list(usage_lines(invoice, books)))
    if as_script:
        rows = [dict(zip(COLUMNS, row(each), strict=True)) for each in told]
        name = invoice.number or invoice.id
        typer.echo(json.dumps({"number": name, "explanation": text, "events": rows}))
        return
    typer.echo(text.rstrip())
    if told:
        typer.echo()
        show(COLUMNS, map(row, told), chosen_format(as_json=False, as_csv=False))
    if problem:
        typer.echo(f"events are not shown: {problem}", err=True)


def _explain_line(
    invoice: Invoice, number: int, books: "Books", text: str, *, as_script: bool
) -> None:
    from pipelines.explain.line_events import usage_lines
    from pipelines.explain.line_words import block, evidence_of, price_version, row

    if not 1 <= number <= len(invoice.lines):
        raise InvalidInput(f"the invoice has the lines 1 to {len(invoice.lines)}, not {number}")
    found = [each for each in usage_lines(invoice, books) if each.number == number]
    told, problem = evidence(found)
    own = block(text, number)
    version = None if invoice.kind == "note" else price_version(invoice, number, books)
    if as_script:
        rows = [dict(zip(COLUMNS, row(each), strict=True)) for each in told]
        shown: dict[str, Any] = {"number": invoice.number or invoice.id, "line": number}
        shown |= {"explanation": own, "price_version": version, "events": rows}
        typer.echo(json.dumps(shown))
        return
    typer.echo(own)
    if version:
        typer.echo(version)
    for each in told:
        typer.echo("\n".join(evidence_of(each)))
    if problem:
        typer.echo(f"events are not shown: {problem}", err=True)


def evidence(found: "list[LineEvents]") -> "tuple[list[Told], str]":
    """What the warehouse says of lines' events, or why it says nothing: arithmetic needs none."""
    from pipelines.explain.line_events import tell
    from stores.warehouse import client
    from stores.warehouse.events import WarehouseEvents

    if not found:
        return [], ""
    try:
        with client.connect(Settings().clickhouse_url) as warehouse:
            reader = WarehouseEvents(warehouse)
            return [tell(each, reader) for each in found], ""
    except DependencyUnreachable as problem:
        return [], str(problem)


def _hand_out(
    invoice: Invoice, number: int, books: "Books", parquet: Path | None, *, as_script: bool
) -> None:
    """The events themselves, to a file or a screen."""
    from pipelines.explain.line_events import events_of
    from stores.bundles import write_parquet
    from stores.warehouse import client
    from stores.warehouse.events import WarehouseEvents

    of = events_of(invoice, number, books)
    with client.connect(Settings().clickhouse_url) as warehouse:
        table = WarehouseEvents(warehouse).events(of.asked)
    if parquet is not None:
        write_parquet(parquet, [table])
        typer.echo(f"{table.num_rows:,} events in {parquet}", err=True)
        return
    show(EVENT_COLUMNS, _rows(table), chosen_format(as_json=as_script, as_csv=False))


def _rows(table: "pa.Table") -> list[tuple[str, ...]]:
    return [
        (
            format_instant(each["time_ms"]),
            each["source"],
            each["id"],
            format_micro(each["quantity_micro"]),
            format_micro(each["included_micro"]),
            format_micro(each["beyond_micro"]),
            str(each["partition"]),
            str(each["offset"]),
        )
        for each in table.to_pylist()
    ]
