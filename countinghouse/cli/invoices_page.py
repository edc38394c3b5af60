"""`countinghouse invoices page NUMBER…`: invoices as pages that tenants read and print."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.evidence import evidence, explained
from countinghouse.cli.nearest import suggesting
from countinghouse.settings import Settings
from countinghouse.whole_file import writing
from schemas.period import BillingPeriod

if TYPE_CHECKING:
    from pipelines.invoices.books import Books
    from schemas.invoice import Invoice
    from schemas.ledger_ports import ClosingLedger


def page(
    numbers: Annotated[
        list[str], typer.Argument(metavar="NUMBER...", help="Invoices' numbers, or ids of drafts.")
    ],
    into: Annotated[Path, typer.Option(help="The folder for the pages.")] = Path(),
) -> None:
    """Write invoices as HTML pages to read and to print, each with the arithmetic of its lines.

    A page is one file that loads nothing; a browser prints it, or saves it as PDF. The same invoice
    makes the same page.
    """
    from pipelines.invoices.books_as_billed import books_behind
    from stores import ledger

    settings = Settings()
    store = ledger.connect(settings.ledger_url)
    for number in numbers:
        with suggesting(number, store.invoice_numbers, "invoices list"):
            invoice = store.invoice(number)
        books = books_behind(invoice.month, invoice.tenant, store)
        typer.echo(_written(into, number, _made(invoice, store, books, settings.seller)))


def _made(invoice: "Invoice", store: "ClosingLedger", books: "Books", seller: str) -> str:
    from countinghouse.invoice_page import invoice_page
    from pipelines.explain.line_words import evidence_of
    from pipelines.explain.lines_with_events import lines_with_events

    text = explained(invoice, store)
    told, problem = evidence(list(lines_with_events(invoice, store)))
    if problem:
        typer.echo(f"events are not shown: {problem}", err=True)
    events = [(each.of.number, list(evidence_of(each))) for each in told]
    return invoice_page(invoice, _period(invoice, books), seller, text, events)


def _period(invoice: "Invoice", books: "Books") -> BillingPeriod:
    """The billing period of its subscription that ends in its month."""
    month = BillingPeriod.month(invoice.month)
    own = (it for it in books.subscriptions if it.id == invoice.subscription)
    return next((it.billed_in(month) for it in own), month)


def _written(into: Path, number: str, text: str) -> Path:
    path = into / f"{number.replace('/', '_')}.html"
    with writing(path) as unfinished:
        into.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
    return path
