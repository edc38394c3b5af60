"""What all tenants had beside their plans as a month's invoices found it, whatever became of it.

The same of one invoice is `pipelines.adjustments.as_billed`; here no record is made of any.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments.as_billed import found_credit, told_buyer
from pipelines.columns.tables import rows_of, table_of
from pipelines.invoices.books import Books
from pipelines.invoices.invoice_parts import invoice_parts
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, Extras

_OF_GRANT = tuple(name for name in CREDIT_COLUMNS if name not in ("tenant", "left_minor"))


def extras_as_billed(books: Books) -> Extras:
    """The month's extras, with the buyers and credits that its invoices tell of.

    Where a tenant has notes too, it is the invoice that tells buyer and credits.
    """
    buyers, credits = [table_of([], BUYER_COLUMNS)], [table_of([], CREDIT_COLUMNS)]
    for part in invoice_parts(books.made, books):
        heads = _telling(part.heads)
        buyers.append(table_of(_buyers(heads, part.documents), BUYER_COLUMNS))
        credits.append(table_of(_credits(heads, part.lines, books.month), CREDIT_COLUMNS))
    told = {"buyers": pa.concat_tables(buyers), "credits": pa.concat_tables(credits)}
    return replace(books.extras, **told)


def _telling(heads: pa.Table) -> pa.Table:
    """Of each tenant the invoice, or the notes where it has none."""
    is_invoice = pc.equal(heads["kind"], "invoice")
    invoiced = heads["tenant"].filter(is_invoice).combine_chunks()
    return heads.filter(pc.or_(is_invoice, pc.invert(pc.is_in(heads["tenant"], invoiced))))


def _buyers(heads: pa.Table, documents: pa.Table) -> Iterator[tuple[str | None, ...]]:
    named = documents.filter(pc.match_substring(documents["document"], b'"buyer":'))
    rows, whose = _joined(named, heads)
    found = {
        tenant: told_buyer(document)
        for tenant, document in zip(
            whose["tenant"].to_pylist(), rows["document"].to_pylist(), strict=True
        )
    }
    for tenant, buyer in found.items():
        if buyer.is_known:
            yield tenant, buyer.country, buyer.region, buyer.tax_id


def _credits(heads: pa.Table, lines: pa.Table, month: str) -> Iterator[tuple[Any, ...]]:
    applied = lines.filter(pc.equal(lines["kind"], "credit_applied"))
    rows, whose = _joined(applied, heads)
    pairs = zip(rows_of(rows), rows_of(whose), strict=True)
    for _, own in groupby(pairs, key=lambda pair: pair[1]["id"]):
        for place, (line, head) in enumerate(own):
            its = head["tenant"], head["currency"], month
            credit = found_credit(*its, place, line["name"], line["base_minor"])
            grant = (getattr(credit.grant, name) for name in _OF_GRANT)
            yield head["tenant"], *grant, credit.left_minor


def _joined(rows: pa.Table, heads: pa.Table) -> tuple[pa.Table, pa.Table]:
    """What some invoices say, and beside each row the invoice that says it."""
    places = pc.index_in(rows["invoice"], value_set=heads["id"].combine_chunks())
    return rows.filter(pc.is_valid(places)), heads.take(places.drop_null())
