"""What must hold of all invoices of a month at once, found by a few statements over their columns.

Each check is a list of findings to read, empty where all is well. `pipelines.checks.checks` has
those that look at prices.
"""

from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.engine import database
from pipelines.columns.tables import rows_of
from pipelines.invoices.books import Books
from pipelines.invoices.stored_invoices import read_invoices
from schemas.money import Money

SURPRISING_FACTOR = 3
SURPRISING_MINOR = 1_000
"""A total is surprising when it changed by more than this factor and more than this amount."""

_SURPRISING = (files("pipelines") / "sql" / "checks" / "surprising.sql").read_text()


def lines_sum_to_totals(books: Books) -> list[str]:
    """Invoices have exactly the ledger's lines, and every total is the exact sum of them."""
    return read_invoices(books).findings


def one_invoice_per_subscription(books: Books) -> list[str]:
    """Every subscription of the month has one invoice, and every invoice a subscription."""
    heads = books.live_heads
    invoiced = heads["subscription"].filter(pc.equal(heads["kind"], "invoice"))
    found, wanted = pc.unique(invoiced), books.subscribed
    missing = surplus = wanted.slice(0, 0)
    if not found.equals(wanted):  # as they are as a rule, also in order
        missing = wanted.filter(pc.invert(pc.is_in(wanted, value_set=found)))
        surplus = found.filter(pc.invert(pc.is_in(found, value_set=wanted)))
    several = {}
    if len(found) < len(invoiced):
        counts = pc.value_counts(invoiced).to_pylist()
        several = {each["values"]: each["counts"] for each in counts if each["counts"] > 1}
    return [
        *(f"{name}: there is no invoice" for name in sorted(missing.to_pylist())),
        *(f"{name}: an invoice without subscription" for name in sorted(surplus.to_pylist())),
        *(f"{name}: there are {n} invoices" for name, n in sorted(several.items())),
    ]


def no_surprising_change(books: Books, previous: Books) -> list[str]:
    """Totals beside those of the month before; worth a look, never a reason to stop.

    A tenant's first invoice surprises nobody.
    """
    heads = {"now": _in_order(books.live_heads), "before": previous.live_heads}
    with database(heads) as connection:
        asked = {"factor": SURPRISING_FACTOR, "minor": SURPRISING_MINOR}
        found = connection.sql(_SURPRISING, params=asked).to_arrow_table()
    return [
        f"{row['tenant']}: {Money(row['total_minor'], row['currency'])}, after "
        f"{Money(row['before_minor'], row['currency'])} the month before"
        for row in rows_of(found)
    ]


def totals_by_currency(heads: pa.Table) -> dict[str, int]:
    """Minor units by currency, of invoices (`HEAD_COLUMNS`)."""
    grouped = heads.group_by("currency").aggregate([("total_minor", "sum")]).to_pylist()
    return {
        row["currency"]: row["total_minor_sum"]
        for row in sorted(grouped, key=lambda each: each["currency"])
    }


def _in_order(heads: pa.Table) -> pa.Table:
    return heads.append_column("place", pa.arange(0, heads.num_rows).cast(pa.int32()))
