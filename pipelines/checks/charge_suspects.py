"""Whose lines may not match usage and prices, found for all tenants by one statement.

Nobody else's can differ: what is wrong with these few is said by `pipelines.checks.checks`.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.checks.bulk_reconciliation import subscribed_tables
from pipelines.columns.engine import database
from pipelines.columns.line_parts import between, parts_of
from pipelines.columns.name_numbers import named, number
from pipelines.columns.tables import table_of
from pipelines.invoices.books import Books
from pipelines.invoices.lines_on_invoices import on_invoices
from pipelines.rating.plan_tables import card_table, divisor_table
from pipelines.rating.price_table import matrix_table, price_table
from schemas.catalog import Catalog
from schemas.invoice import ADJUSTING_KINDS
from schemas.tables import LINE_COLUMNS

_SQL = files("pipelines") / "sql"
_SCRIPTS = [
    (_SQL / f"{name}.sql").read_text() for name in ("compare/segments", "parts", "cost", "rounded")
]
_CHARGES = (_SQL / "checks" / "charges.sql").read_text()
_PLANS = {"catalog_version": "int64", "plan": "string", "is_usual": "bool"}
_USED = ("subscription", "kind", "meter", "value", "period_start_ms", "period_end_ms",
    "quantity_micro", "fee_minor", "amount_minor")  # fmt: skip


def suspects(books: Books) -> pa.Array:
    """The ids of those subscriptions; there may be nothing wrong with them."""
    offered = _offered(books.catalogs)
    found = [pa.array([], pa.string())]
    for lines, first, end in _ranges(books):
        segments = between(books.segments, first, end)
        tables = {
            "usage": between(books.usage, first, end),
            "lines": _judged(lines),
            **offered,
            **subscribed_tables(segments, books.period, books.catalogs),
        }
        found.append(_suspects(tables))
    return pa.concat_arrays(found)


def _suspects(tables: Mapping[str, pa.Table]) -> pa.Array:
    own = dict(tables)
    names = number(own)
    with database(own) as connection:
        for script in _SCRIPTS:
            connection.execute(script)
        found = named(connection.sql(_CHARGES).to_arrow_table(), names)
    return found["subscription"].combine_chunks()


def _ranges(books: Books) -> Iterator[tuple[pa.Table, str | None, str | None]]:
    """The invoices' lines in parts, each with its first tenant and that of the next part."""
    first, held = None, None
    for part in parts_of(on_invoices(books)):
        if held is not None:
            end = part["tenant"][0].as_py()
            yield held, first, end
            first = end
        held = part
    yield table_of([], LINE_COLUMNS) if held is None else held, first, None


def _judged(lines: pa.Table) -> pa.Table:
    """What is looked at of fee and usage lines, with their places; DuckDB keeps no order."""
    follows = pc.is_in(lines["kind"], value_set=pa.array(ADJUSTING_KINDS, pa.string()))
    own = lines.select(list(_USED)).filter(pc.invert(follows))
    return own.append_column("place", pa.arange(0, own.num_rows))


def _offered(catalogs: Mapping[int, Catalog]) -> dict[str, pa.Table]:
    plans = (
        (
            *(version, name),
            plan.policies.are_usual_for_usage
            and plan.policies.are_usual_for_fees
            and not plan.base_fee_yearly,
        )
        for version, catalog in catalogs.items()
        for name, plan in catalog.plans.items()
    )
    return {
        "plans": table_of(plans, _PLANS),
        "cards": card_table(catalogs),
        "prices": price_table(catalogs),
        "matrix_prices": matrix_table(catalogs),
        "divisors": divisor_table(),
    }
