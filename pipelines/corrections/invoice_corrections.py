"""Commands on finalized invoices: void, make again, credit. An invoice itself is never edited."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.adjustments import bulk
from pipelines.adjustments.buckets import product_of
from pipelines.adjustments.concerned import concerned
from pipelines.columns.tables import as_table, line_of, rows_of
from pipelines.invoices import invoicing
from pipelines.invoices.books import Books
from pipelines.invoices.books_as_billed import BooksAsBilled
from pipelines.rating import bulk_rating
from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.extras import Kept
from schemas.invoice import CORRECTION_KINDS, Invoice, InvoiceLine, InvoiceState, remade_id
from schemas.ledger_ports import ClosingLedger, CorrectionLedger
from schemas.money import divide_half_away
from schemas.period import BillingPeriod
from schemas.tables import LINE_COLUMNS, USAGE_COLUMNS

DUE_DAYS = 14
_DAY_MS = 86_400_000
_BY_ITSELF = ":"
"""How the keys of notes begin that were given none."""
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Word:
    """On whose word something is done, why, and when."""

    who: str
    why: str
    now_ms: int

    @property
    def dates(self) -> tuple[int, int]:
        """When what is issued now is issued and due."""
        return self.now_ms, self.now_ms + DUE_DAYS * _DAY_MS


def void(number: str, ledger: CorrectionLedger, word: Word) -> bool:
    """Make an invoice void; what credits paid of it is given back. False if it was void already.

    Raises:
        NotFound, Conflict: see `CorrectionLedger.void_invoice`.
    """
    return ledger.void_invoice(number, word.who, word.why)


def regenerate(number: str, ledger: CorrectionLedger, word: Word, *, seller: str) -> Invoice:
    """The invoice in place of a void one: the month's usage and prices, today's buyer and credits.

    It reads the usage that the month was closed by, and the plans that this was cut with; what came
    late, or was changed since, is corrected as ever. Corrections of earlier months that stood on
    the void invoice are on this one.

    Raises:
        NotFound: no such invoice. Conflict: it is not void, or a note, which is issued anew
        instead.
    """
    old = ledger.invoice(number)
    if old.kind == "note":
        raise Conflict(f"{number} is a note; issue another one")
    if old.state is not InvoiceState.VOID:
        raise Conflict(f"{number} is {old.state}; void it first: `invoices void {number}`")
    remade = _remade(old, ledger)
    return ledger.replace_void(number, remade, word.who, seller, word.dates)


def _remade(old: Invoice, ledger: CorrectionLedger) -> Invoice:
    books = BooksAsBilled(old.month, ledger, old.tenant)
    subscription = next((s for s in books.subscriptions if s.id == old.subscription), None)
    if subscription is None:
        raise NotFound(f"{old.tenant} had no subscription in {old.month} when it was closed")
    lines = _lines(old, books, ledger)
    rests_on = invoicing.basis(books.closing, books.offered.catalogs, books.given)
    return replace(invoicing.draft(subscription, lines, rests_on), id=_next_id(old, ledger))


def _next_id(old: Invoice, ledger: ClosingLedger) -> str:
    """One more than the last of the month's that was made void."""
    own = ledger.invoices(old.month, tenant=old.tenant)
    taken = {each.id for each in own if each.kind == "invoice"}
    name = old.id
    while name in taken:
        name = remade_id(name)
    return name


def _lines(old: Invoice, books: Books, ledger: ClosingLedger) -> tuple[InvoiceLine, ...]:
    month, catalogs, found = books.period, books.catalogs, books.segments
    usage = as_table(ledger.usage(books.month), USAGE_COLUMNS)
    fees = bulk_rating.prorate_fees(found, month, catalogs)
    charges = bulk_rating.rate_charges(usage, found, month, catalogs)
    corrected = tuple(line for line in old.lines if line.kind in CORRECTION_KINDS)
    due = {old.subscription: sum(line.amount_minor for line in corrected)}
    rated = [*rows_of(fees), *rows_of(charges)]
    following = _following(fees, charges, books, due)
    own = (row for row in [*rated, *following] if row["subscription"] == old.subscription)
    return (*(line_of(row) for row in own), *corrected)


def _following(
    fees: pa.Table, charges: pa.Table, books: Books, due: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    found = concerned(books.segments, books.offered)
    if found.num_rows:
        rated = pa.concat_tables([fees, charges])
        made = bulk.adjust_lines(rated, found, books.period, books.offered, corrected=due)
        yield from rows_of(as_table(made, LINE_COLUMNS))


def credit(
    number: str,
    ledger: CorrectionLedger,
    word: Word,
    *,
    seller: str,
    amount_minor: int | None = None,
    line: int | None = None,
    key: str = "",
) -> tuple[Invoice, Kept]:
    """A note that credits an amount with the tax in it, or a line (from 1) with the tax on it.

    Of an invoice that is not paid it reduces what is owed; of a paid one it becomes a prepaid
    credit. A `key` that was used for this invoice before issues nothing: the note is that of then,
    `unchanged`. Without one each note is another.

    Raises:
        InvalidInput: neither or both are given, there is no such line, or the key is like those of
            notes without one.
        NotFound, Conflict: see `CorrectionLedger.issue_credit_note`.
    """
    invoice = ledger.invoice(number)
    if (amount_minor is None) == (line is None):
        raise InvalidInput("say either --amount or --line")
    if key.startswith(_BY_ITSELF):
        raise InvalidInput(f"--key: {key!r} begins with a colon; leave that out")
    part = _part(invoice, amount_minor) if line is None else _whole(invoice, line)
    credited = replace(part, name=word.why)
    while True:
        note = _note(invoice, credited, key or _next_key(invoice, ledger), _named(line))
        found, kept = ledger.issue_credit_note(note, word.who, word.why, seller, word.dates)
        if key or kept == "added":  # else another without a key took the number meanwhile
            return found, kept


def _part(invoice: Invoice, amount_minor: int | None) -> InvoiceLine:
    """An amount holds as much tax as the whole invoice: 11.90 of 119.00 with 19.00 tax is 1.90."""
    minor, gross = amount_minor or 0, invoice.total_minor + invoice.credits_minor
    tax_minor = divide_half_away(minor * invoice.tax_minor, gross) if gross > 0 else 0
    last = invoice.lines[-1]
    period = BillingPeriod(
        min(each.period.start_ms for each in invoice.lines),
        max(each.period.end_ms for each in invoice.lines),
    )
    return InvoiceLine("credited", last.plan, period, -minor, tax_minor=-tax_minor or None)


def _whole(invoice: Invoice, place: int) -> InvoiceLine:
    """A line's amount and the taxes on it."""
    if not 1 <= place <= len(invoice.lines):
        raise InvalidInput(f"{invoice.number} has {len(invoice.lines)} lines; there is no {place}")
    own = invoice.lines[place - 1]
    if own.amount_minor <= 0 or own.kind in ("tax", "correction_tax", "credited"):
        raise InvalidInput(f"line {place} of {invoice.number} charges nothing to credit")
    added, tax = _late_tax_on(invoice, own) if own.kind == "correction" else _tax_on(invoice, own)
    amount = own.amount_minor + added
    return replace(own, kind="credited", amount_minor=-amount, tax_minor=-tax or None)


def _tax_on(invoice: Invoice, own: InvoiceLine) -> tuple[int, int]:
    """What the taxes on a line add to it, and what they are."""
    taxes = [
        each
        for each in invoice.lines
        if each.kind == "tax"
        and (each.plan, each.period, each.meter) == (own.plan, own.period, own.meter)
        and (product_of(each), each.base_minor) == (product_of(own), own.amount_minor)
    ]
    # Two lines of the same period and amount have a tax each; one of every name is this line's.
    named = {each.name: each for each in taxes}.values()
    return sum(each.amount_minor for each in named), sum(each.tax_minor or 0 for each in named)


def _late_tax_on(invoice: Invoice, own: InvoiceLine) -> tuple[int, int]:
    """The same of a correction, whose taxes are told for all late usage of its month: its part.

    0.60 on 2.00 and 1.00 is 0.40 on the 2.00.
    """
    late = [each for each in invoice.lines if each.period == own.period]
    taxes = [each for each in late if each.kind == "correction_tax"]
    whole = sum(each.amount_minor for each in late if each.kind == "correction")
    if not whole:
        return 0, 0
    part_minor = own.amount_minor if whole > 0 else -own.amount_minor
    sums = sum(each.amount_minor for each in taxes), sum(each.tax_minor or 0 for each in taxes)
    added, tax = (divide_half_away(minor * part_minor, abs(whole)) for minor in sums)
    return added, tax


def _next_key(invoice: Invoice, ledger: ClosingLedger) -> str:
    """The first number that is free, written so that it is no key that anybody gives."""
    taken = {each.id for each in ledger.invoices(invoice.month, tenant=invoice.tenant)}
    keys = (f"{_BY_ITSELF}{n}" for n in count(1))
    return next(key for key in keys if _note_id(invoice, key) not in taken)


def _note_id(invoice: Invoice, key: str) -> str:
    return f"{invoice.id}:credit:{key}"


def _named(place: int | None) -> dict[str, int]:
    """Which line a note credits, by which the ledger knows it; none where it is an amount."""
    return {} if place is None else {"credits_line": place}


def _note(invoice: Invoice, line: InvoiceLine, key: str, named: Mapping[str, int]) -> Invoice:
    document = {
        **named,
        "tenant": invoice.tenant,
        "subscription": invoice.subscription,
        "corrects": invoice.id,
        "corrects_number": invoice.number,
        "currency": invoice.currency,
        "lines": [invoicing.line_document(line)],
        "total_minor": line.amount_minor,
        "tax_minor": line.tax_minor or 0,
    }
    encoded = _encode(document)
    return Invoice(
        id=_note_id(invoice, key),
        tenant=invoice.tenant,
        subscription=invoice.subscription,
        month=invoice.month,
        currency=invoice.currency,
        lines=(line,),
        document=encoded,
        document_hash=hashlib.sha256(encoded).hexdigest(),
        kind="note",
        corrects=invoice.id,
    )
