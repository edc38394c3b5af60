"""`countinghouse invoices explain NUMBER [LINE]`: from an amount down to the events behind it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from countinghouse.cli.evidence import evidence, explained
from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from countinghouse.whole_file import writing
from schemas.errors import InvalidInput
from schemas.invoice import Invoice
from schemas.period import format_instant
from schemas.quantity import format_micro

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.explain.line_events import Told
    from schemas.ledger_ports import ClosingLedger

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

    The arithmetic is recomputed from the price list. Of a line of usage, or one that corrects an
    earlier month: how many events there are, what they add up to, and their digest, which can be
    computed again from --parquet; README.md of a month's bundle says how. Exit code 1 when
    something differs.
    """
    from stores import ledger

    if line is None and (events or parquet):
        raise InvalidInput("--events and --parquet are of one line: name it after the number")
    store = ledger.connect(Settings().ledger_url)
    with suggesting(number, store.invoice_numbers, "invoices list"):
        invoice = store.invoice(number)
    if line is not None and not 1 <= line <= len(invoice.lines):
        raise InvalidInput(f"the invoice has the lines 1 to {len(invoice.lines)}, not {line}")
    if line is not None and (events or parquet):
        _hand_out(invoice, line, store, parquet, as_script=as_script)
    else:
        _explain(invoice, line, store, as_script=as_script)


def _explain(
    invoice: Invoice, number: int | None, store: "ClosingLedger", *, as_script: bool
) -> None:
    """The whole invoice or one line. Exit code 1 when prices or events say something else."""
    from pipelines.explain.line_words import block, difference, differs
    from pipelines.explain.lines_with_events import lines_with_events
    from pipelines.explain.price_versions import price_versions

    whole = explained(invoice, store)
    found = [it for it in lines_with_events(invoice, store) if number in (None, it.number)]
    told, problem = evidence(found)
    text = (whole if number is None else block(whole, number)).rstrip()
    differing = [difference(each) for each in told if not each.agrees]
    if differs(text):
        differing.append("computed again from the price list, the amounts differ; see below")
    version = price_versions(invoice, number, store)
    if as_script:
        name = invoice.number or invoice.id
        shown: dict[str, Any] = {"number": name, "line": number, "agrees": not differing}
        shown |= {"differences": differing, "explanation": text, "price_version": version}
        typer.echo(json.dumps(shown | {"events": _told_rows(told)}))
    else:
        _say_differences(differing, invoice.month)
        typer.echo("\n".join(filter(None, (text, version))))
        _say_events(told, is_whole=number is None)
    if problem:
        typer.echo(f"events are not shown: {problem}", err=True)
    if differing:
        raise typer.Exit(1)


def _told_rows(told: "list[Told]") -> list[dict[str, Any]]:
    from pipelines.explain.line_words import row

    return [dict(zip(COLUMNS, row(each), strict=True)) for each in told]


def _say_differences(differing: list[str], month: str) -> None:
    """First of all, so that nobody takes what follows for proven."""
    for each in differing:
        typer.echo(each)
    if differing:
        typer.echo(f"`countinghouse verify {month}` lists what differs in the month\n")


def _say_events(told: "list[Told]", *, is_whole: bool) -> None:
    from pipelines.explain.line_words import evidence_of, row

    if is_whole and told:
        typer.echo()
        show(COLUMNS, map(row, told), chosen_format(as_json=False, as_csv=False))
    elif not is_whole:
        for each in told:
            typer.echo("\n".join(evidence_of(each)))


def _hand_out(
    invoice: Invoice,
    number: int,
    store: "ClosingLedger",
    parquet: Path | None,
    *,
    as_script: bool,
) -> None:
    """The events themselves, to a file or a screen."""
    from countinghouse.wiring import event_reader
    from pipelines.explain.lines_with_events import events_of

    of = events_of(invoice, number, store)
    with event_reader(Settings()) as reader:
        table = reader.events(of.asked)
    if parquet is not None:
        _write(parquet, table)
        typer.echo(f"{table.num_rows:,} events in {parquet}", err=True)
        return
    show(EVENT_COLUMNS, _rows(table), chosen_format(as_json=as_script, as_csv=False))


def _write(parquet: Path, table: "pa.Table") -> None:
    from stores.bundles import write_parquet

    with writing(parquet) as unfinished:
        write_parquet(unfinished, [table])


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
