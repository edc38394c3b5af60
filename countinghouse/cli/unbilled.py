"""`countinghouse usage unbilled | repeated MONTH`: usage that no invoice bills, or that two do."""

from contextlib import closing
from typing import Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.quantity import format_micro

UNBILLED = ("tenant", "meter", "quantity", "why")
REPEATED = ("tenant", "month", "other_month", "ids", "source", "id")

MonthArgument = Annotated[str, typer.Argument(help="A month that was closed, like 2026-10.")]


def unbilled(month: MonthArgument, as_script: JsonOption = False) -> None:
    """List usage that no invoice bills: without a subscription, or without a plan in force."""
    from countinghouse.closing_run import check_month
    from pipelines.checks import leakage
    from pipelines.invoices.books import Books
    from stores import ledger

    check_month(month)
    with closing(ledger.connect(Settings().ledger_url)) as opened:
        findings = leakage.unbilled(Books(month, opened))
    form = chosen_format(as_json=as_script, as_csv=False)
    rows = ((it.tenant, it.meter, format_micro(it.quantity_micro), it.why) for it in findings)
    show(UNBILLED, rows, form)
    typer.echo(f"{len(findings):,} findings of usage that no invoice bills", err=True)


def repeated(month: MonthArgument, as_script: JsonOption = False) -> None:
    """List ids of events that came in the month before or after too: each month counts them."""
    from countinghouse.closing_run import check_month
    from countinghouse.wiring import usage_reader
    from pipelines.invoices.books import Books
    from stores import ledger

    check_month(month)
    settings = Settings()
    with closing(ledger.connect(settings.ledger_url)) as opened, usage_reader(settings) as usage:
        books = Books(month, opened)
        found = usage.repeated_ids(books.period, books.closing.vector)
    rows = ((it.tenant, month, it.other_month, it.ids, it.source, it.id) for it in found)
    show(REPEATED, rows, chosen_format(as_json=as_script, as_csv=False))
    ids = sum(each.ids for each in found)
    typer.echo(f"{ids:,} ids of {month} came in another month too", err=True)
