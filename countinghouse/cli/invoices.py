"""`countinghouse invoices`: list them, show one, explain one line by line."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from countinghouse.cli.bundle import renew
from countinghouse.cli.corrections import ReasonOption, credit_one, regenerate_one, void_one
from countinghouse.cli.explain import explain
from countinghouse.cli.invoices_export import export
from countinghouse.cli.invoices_page import page
from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.cli.review import approve, hold
from countinghouse.cli.tables import Format, chosen_format, show
from countinghouse.cli.upcoming import upcoming
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from schemas.invoice import ADJUSTING_KINDS, Invoice, InvoiceState
from schemas.money import format_minor, format_pico
from schemas.period import BillingPeriod, format_instant
from schemas.quantity import format_micro
from schemas.reversal import Reversal

if TYPE_CHECKING:
    from stores.ledger.invoices.overviews import InvoiceRow

COLUMNS = (
    *("number", "tenant", "month", "currency", "total", "state", "issued_at", "due_at", "held"),
    "reversed",
)
LINE_COLUMNS = ("kind", "description", "quantity", "unit_price", "amount")
REVERSAL_COLUMNS = ("kind", "state", "amount", "made_at", "provider_id", "payment")

invoices = typer.Typer(no_args_is_help=True)

NumberArgument = Annotated[
    str, typer.Argument(help="The invoice's number, or the id of a draft, as `list` shows it.")
]


@invoices.command("list")
def list_invoices(
    month: Annotated[str, typer.Option(help="Only this month, like 2026-10.")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant.")] = "",
    state: Annotated[list[InvoiceState] | None, typer.Option(help="Only these states.")] = None,
    as_script: JsonOption = False,
) -> None:
    """List invoices; a draft has its id in place of a number."""
    from stores import ledger

    books = ledger.connect(Settings().ledger_url)
    if tenant:
        with suggesting(tenant, books.tenant_names, "subscriptions list"):
            books.subscribed(tenant)
    found = books.listed_invoices(_checked(month), state or (), tenant or None)
    rows = (tuple(_summary(invoice).values()) for invoice in found)
    show(COLUMNS, rows, chosen_format(as_json=as_script, as_csv=False))


@invoices.command("show")
def show_invoice(number: NumberArgument, as_script: JsonOption = False) -> None:
    """Show an invoice with its lines, and what went back of its payment."""
    invoice, reversals = _find(number)
    lines = list(_lines(invoice))
    form = chosen_format(as_json=as_script, as_csv=False)
    if form is Format.JSON:
        named = [dict(zip(LINE_COLUMNS, line, strict=True)) for line in lines]
        back = [dict(zip(REVERSAL_COLUMNS, row, strict=True)) for row in reversals]
        rows = {"lines": named, "reversals": back}
        typer.echo(msgspec.json.encode(_summary(invoice) | _parts(invoice) | rows))
        return
    if form is Format.TABLE:
        typer.echo(_heading(invoice))
    show(LINE_COLUMNS, lines, form)
    if form is Format.TABLE and any(line.kind in ADJUSTING_KINDS for line in invoice.lines):
        typer.echo("\n" + ", ".join(f"{name} {it}" for name, it in _parts(invoice).items()))
    if form is Format.TABLE and reversals:
        typer.echo("\nwhat went back at the provider:")
        show(REVERSAL_COLUMNS[:-1], [row[:-1] for row in reversals], form)


invoices.command("explain")(explain)
invoices.command("page")(page)
invoices.command("export")(export)
invoices.command("upcoming")(upcoming)
invoices.command("hold")(hold)
invoices.command("approve")(approve)
invoices.command("void")(void_one)
invoices.command("regenerate")(regenerate_one)
invoices.command("credit-note")(credit_one)


@invoices.command("release")
def release(
    tenant: Annotated[str, typer.Argument(help="The held tenant.")],
    month: Annotated[str, typer.Argument(help="The month, like 2026-10.")],
    by: Annotated[str, typer.Option("--by", "--who", help="Who decides it.")],
    reason: ReasonOption,
    as_script: JsonOption = False,
) -> None:
    """Finalize a held invoice in spite of its difference, on somebody's word; `pay` collects it."""
    from countinghouse.init import now_ms
    from pipelines.close.letting_go import release_held
    from stores import ledger
    from stores.ledger.invoices.review import UNAPPROVED

    settings = Settings()
    books = ledger.connect(settings.ledger_url)
    checked = _checked(month) or month
    report = release_held(
        checked, tenant, books, now_ms, seller=settings.seller, who=by, why=reason
    )
    invoice, *_ = books.invoices(checked, (), tenant)  # a note comes after it, or is there alone
    told = {"tenant": tenant, "number": invoice.number, **report.counts}
    waiting = {it.tenant: it.held for it in books.held_drafts(checked) if it.held == UNAPPROVED}
    number = invoice.number or waiting.get(tenant) or "with the others when the month is finalized"
    typer.echo(json.dumps(told) if as_script else f"{tenant}: {number}")
    renew(settings, checked)


def _find(number: str) -> tuple[Invoice, list[tuple[str, ...]]]:
    """An invoice and what went back of it, in the order of `REVERSAL_COLUMNS`."""
    from stores import ledger

    books = ledger.connect(Settings().ledger_url)
    with suggesting(number, books.invoice_numbers, "invoices list"):
        invoice = books.invoice(number)
    found = books.reversals(invoice=invoice.id).values()
    return invoice, [_reversal(it) for own in found for it in own]


def _reversal(it: Reversal) -> tuple[str, ...]:
    amount = _amount(it.amount_minor, it.currency)
    return str(it.kind), str(it.state), amount, format_instant(it.at_ms), it.reference, it.payment


def _checked(month: str) -> str | None:
    if not month:
        return None
    try:
        return BillingPeriod.month(month).key
    except ValueError as problem:
        raise InvalidInput(f"--month: {problem}") from None


def _summary(invoice: "Invoice | InvoiceRow") -> dict[str, Any]:
    """An invoice's own figures, in the order of `COLUMNS`."""
    return {
        "number": invoice.number or invoice.id,
        "tenant": invoice.tenant,
        "month": invoice.month,
        "currency": invoice.currency,
        "total": _amount(invoice.total_minor, invoice.currency),
        "state": str(invoice.state),
        "issued_at": None if invoice.issued_ms is None else format_instant(invoice.issued_ms),
        "due_at": None if invoice.due_ms is None else format_instant(invoice.due_ms),
        "held": invoice.held,
        "reversed": _amount(invoice.reversed_minor, invoice.currency),
    }


def _parts(invoice: Invoice) -> dict[str, str]:
    """What the total is made of, and what collection collects."""
    amounts = {
        "subtotal": invoice.subtotal_minor,
        "tax": invoice.tax_minor,
        "credits": invoice.credits_minor,
        "due": invoice.amount_due_minor,
    }
    return {name: _amount(minor, invoice.currency) for name, minor in amounts.items()}


def _heading(invoice: Invoice) -> str:
    told = _summary(invoice)
    total = f"{invoice.currency} {format_minor(invoice.total_minor, invoice.currency)}"
    held = f", held: {invoice.held}" if invoice.held else ""
    back = f", {told['reversed']} went back" if invoice.reversed_minor else ""
    name = f"{told['number']}, {invoice.tenant}, {invoice.month}"
    return f"{name}: {total}, {told['state']}{back}{held}\n"


def _lines(invoice: Invoice) -> Iterator[tuple[str | None, ...]]:
    from pipelines.invoices.descriptions import describe

    period = BillingPeriod.month(invoice.month)
    for line in invoice.lines:
        quantity, price = line.quantity_micro, line.unit_price_pico
        yield (
            line.kind,
            describe(line, period, invoice.currency),
            None if quantity is None else format_micro(quantity),
            None if price is None else format_pico(price),
            _amount(line.amount_minor, invoice.currency),
        )


def _amount(amount_minor: int, currency: str) -> str:
    """Decimal text that a script can read: no separator of thousands."""
    return format_minor(amount_minor, currency).replace(",", "")
