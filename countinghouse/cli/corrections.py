"""`countinghouse invoices void | regenerate | credit-note`: what follows a finalized invoice."""

import json
from contextlib import closing
from typing import Annotated

import typer

from countinghouse.cli.beside import who
from countinghouse.cli.bundle import renew
from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from schemas.invoice import Invoice
from schemas.money import Money, parse_minor

NumberArgument = Annotated[str, typer.Argument(help="The invoice's number, as `list` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", "--why", help="It stays in the audit log.")]
ByOption = Annotated[str, typer.Option("--by", "--who", help="Who decides; default: your login.")]


def void_one(
    number: NumberArgument,
    reason: ReasonOption,
    by: ByOption = "",
    as_script: JsonOption = False,
) -> None:
    """Make an unpaid invoice void. It keeps its number, and its prepaid credits are given back."""
    from countinghouse.init import now_ms
    from pipelines.corrections.invoice_corrections import Word, void
    from stores import ledger

    settings = Settings()
    with closing(ledger.connect(settings.ledger_url)) as books:
        was_voided = void(number, books, Word(by or who(), reason, now_ms()))
        month = books.invoice(number).month
    told = f"{number} is void" if was_voided else f"nothing to do: {number} was void already"
    typer.echo(json.dumps({"number": number, "voided": was_voided}) if as_script else told)
    if was_voided:
        renew(settings, month)


def regenerate_one(
    number: NumberArgument,
    reason: ReasonOption,
    by: ByOption = "",
    as_script: JsonOption = False,
) -> None:
    """Make a void invoice again, from its month's usage and prices, with the next number."""
    from countinghouse.init import now_ms
    from pipelines.corrections.invoice_corrections import Word, regenerate
    from stores import ledger

    settings = Settings()
    with closing(ledger.connect(settings.ledger_url)) as books:
        word = Word(by or who(), reason, now_ms())
        made = regenerate(number, books, word, seller=settings.seller)
    _tell(made, f"{made.number} takes the place of {number}", as_script)
    renew(settings, made.month)


def credit_one(
    number: NumberArgument,
    reason: ReasonOption,
    amount: Annotated[str, typer.Option(help="Credit this much, tax included, like 10.00.")] = "",
    line: Annotated[int, typer.Option(help="Credit this line and its tax; the first is 1.")] = 0,
    key: Annotated[str, typer.Option(help="Names the note, so that it is issued once.")] = "",
    by: ByOption = "",
    as_script: JsonOption = False,
) -> None:
    """Credit part of an invoice: less of it is owed, or once paid, a prepaid credit is given."""
    from countinghouse.init import now_ms
    from pipelines.corrections.invoice_corrections import Word, credit
    from stores import ledger

    settings = Settings()
    with closing(ledger.connect(settings.ledger_url)) as books:
        made, kept = credit(
            number,
            books,
            Word(by or who(), reason, now_ms()),
            seller=settings.seller,
            amount_minor=_minor(amount, books.invoice(number).currency) if amount else None,
            line=line or None,
            key=key,
        )
    how = f" (issued before, {made.state} now)" if kept == "unchanged" else ""
    _tell(made, f"{made.number} credits {number}", as_script, how, result=kept)
    if kept != "unchanged":
        renew(settings, made.month)


def _minor(amount: str, currency: str) -> int:
    try:
        return parse_minor(amount, currency)
    except ValueError as problem:
        raise InvalidInput(f"--amount: {problem}") from None


def _tell(made: Invoice, line: str, as_script: bool, how: str = "", **more: str) -> None:
    total = Money(made.total_minor, made.currency)
    told = {"number": made.number, "total_minor": made.total_minor, "currency": made.currency}
    typer.echo(json.dumps(told | more) if as_script else f"{line}: {total}{how}")
