"""A month's draft invoices and their documents for many tenants at once: columns in, columns out.

The bytes are those of `pipelines.invoices.invoicing`, which makes whatever is not usual: coupons
and add-ons, which keep price lists of their own, fees by the year or in advance, and texts that
JSON escapes. This owns only the speed.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.engine import database
from pipelines.columns.line_parts import AT_ONCE, begins, between, parts_of
from pipelines.columns.tables import as_table, table_of
from pipelines.invoices.draft_tables import Part, lines_of
from pipelines.invoices.invoicing import Basis, draft_all, period_document
from pipelines.segments.segment_tables import subscriptions_of
from schemas.extras import BUYER_COLUMNS
from schemas.invoice import ADJUSTING_KINDS, OUTSIDE_SUBTOTAL, invoice_id
from schemas.period import BillingPeriod
from schemas.tables import DRAFT_COLUMNS, LINE_COLUMNS, ArrowStream
from schemas.tax import UNKNOWN

_SQL = files("pipelines") / "sql"
_DRAFTS = (_SQL / "drafts.sql").read_text()
_LINES = (_SQL / "draft_lines.sql").read_text()
_ESCAPED = r'["\\\x00-\x1f]'
"""What JSON does not write as it is."""

_PERIODS = {"anchor_day": "int32", "start_ms": "int64", "end_ms": "int64", "told": "string"}
_PRICE_LISTS = {"catalog_version": "int64", "place": "int32", "told": "string"}
_PLANS = {
    "catalog_version": "int64",
    "plan": "string",
    "is_usual": "bool",
    "has_yearly_fee": "bool",
}


def draft_parts(
    lines: ArrowStream, segments: pa.Table, rests_on: Basis, at_once: int = AT_ONCE
) -> Iterator[Part]:
    """The month's drafts, one for each subscription in the lines and in their order.

    `lines` (`LINE_COLUMNS`) are by tenant, subscription, work and ordinal, `segments`
    (`SEGMENT_COLUMNS`) by tenant. A part holds at most `at_once` invoices.

    Raises:
        duckdb.Error: a total does not fit 64 bits; nothing wraps.
    """
    offered, buyers = _offered(segments, rests_on), _known_buyers(rests_on)
    for own in parts_of(lines, at_once):
        tenants = own["tenant"]
        theirs = offered | {"known_buyers": _of_these(tenants, buyers)}
        yield _part(own.combine_chunks(), _of_these(tenants, segments), theirs, rests_on)


def _part(
    lines: pa.Table, segments: pa.Table, offered: dict[str, pa.Table], rests_on: Basis
) -> Part:
    is_first = begins(lines["subscription"])
    numbers = pc.subtract(pc.cumulative_sum(is_first.cast(pa.int32())), 1)
    starts = pc.indices_nonzero(is_first).cast(pa.int64())
    numbered = lines.append_column("invoice", numbers)
    heads = numbered.select(["tenant", "subscription", "currency", "invoice"]).take(starts)
    of_invoice = pc.index_in(segments["subscription"], value_set=heads["subscription"])
    own = segments.append_column("invoice", of_invoice)
    tables = {"invoices": heads, "lines": numbered, "segments": own, **offered}
    with database(tables) as connection:
        vector = _json(rests_on.closing.vector.to_json())
        asked = {
            "vector": vector,
            "escaped": _ESCAPED,
            "closing_version": rests_on.closing.catalog_version,
            "adjusting": list(ADJUSTING_KINDS),
            "outside": list(OUTSIDE_SUBTOTAL),
        }
        around = connection.sql(_DRAFTS, params=asked).to_arrow_table()
        texts = _line_texts(connection, numbered, is_first, around, rests_on.month)
    documents = _joined(texts, starts)
    is_unusual = pc.is_null(around["opening"]).combine_chunks()
    if is_unusual.true_count:
        made = _specified(numbered, heads.filter(is_unusual), segments, rests_on)
        documents = pc.replace_with_mask(documents, is_unusual, made)
    month = rests_on.closing.month
    drafts = _drafts(heads, around["total_minor"], documents, month)
    return drafts, lines_of(lines, month)


def _line_texts(
    connection: duckdb.DuckDBPyConnection,
    lines: pa.Table,
    is_first: pa.Array,
    around: pa.Table,
    month: BillingPeriod,
) -> pa.Array:
    """What each line adds to its invoice's document, in the lines' order."""
    places = pa.arange(0, lines.num_rows)
    is_last = pa.concat_arrays([is_first.slice(1), pa.array([True])])
    for name, stands in (("opening", is_first), ("closing", is_last)):
        told = around[name].combine_chunks()
        own = told.take(pc.if_else(stands, lines["invoice"], None).combine_chunks())
        lines = lines.append_column(name, own)
    connection.register("lines", lines.append_column("place", places))
    asked = {
        "month_start_ms": month.start_ms,
        "month_end_ms": month.end_ms,
        "month": _json(period_document(month)),
    }
    found = connection.sql(_LINES, params=asked).to_arrow_table()
    # DuckDB reads a table in its order unless it is told otherwise; an invoice does not rest on it.
    if not pc.all(pc.equal(found["place"], places)).as_py():
        found = found.sort_by("place")
    return found["told"].combine_chunks()


def _joined(texts: pa.Array, starts: pa.Array) -> pa.Array:
    """Runs of texts as one each: they lie in memory one after the other, so nothing is copied."""
    _, offsets, told = texts.buffers()
    every = pa.Array.from_buffers(pa.int32(), len(texts) + 1, [None, offsets], offset=texts.offset)
    bounds = every.take(pa.concat_arrays([starts, pa.array([len(texts)], pa.int64())]))
    return pa.Array.from_buffers(pa.binary(), len(starts), [None, bounds.buffers()[1], told])


def _specified(lines: pa.Table, heads: pa.Table, segments: pa.Table, rests_on: Basis) -> pa.Array:
    """The documents of these invoices by the specification."""
    own = lines.filter(pc.is_in(lines["invoice"], value_set=heads["invoice"]))
    names = heads["subscription"]
    theirs = segments.filter(pc.is_in(segments["subscription"], value_set=names))
    subscriptions = {each.id: each for each in subscriptions_of(theirs)}
    drafts = draft_all(own.select(list(LINE_COLUMNS)), subscriptions, rests_on)
    return pa.array([draft.document for draft in drafts], pa.binary())


def _drafts(heads: pa.Table, totals: pa.ChunkedArray, documents: pa.Array, month: str) -> pa.Table:
    """The drafts, as the ledger takes them."""
    constants = {"month": month, "held": None, "kind": "invoice", "corrects": None}
    drafts = {
        **{name: heads[name] for name in ("tenant", "subscription", "currency")},
        **{name: _constant(value, len(heads)) for name, value in constants.items()},
        "id": pc.binary_join_element_wise(heads["subscription"], invoice_id("", month), ""),
        "total_minor": totals,
        "document": documents,
        "document_hash": pa.array(_hashes(documents), pa.string()),
    }
    return as_table(pa.table(drafts), DRAFT_COLUMNS)


def _constant(value: str | None, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), count)


def _hashes(documents: pa.Array) -> Iterator[str]:
    """SHA-256 of each: the library's is three times as fast as DuckDB's."""
    _, offsets, told = documents.buffers()
    bounds = pa.Array.from_buffers(
        pa.int32(), len(documents) + 1, [None, offsets], offset=documents.offset
    )
    bytes_of = memoryview(told)
    return (sha256(bytes_of[start:end]).hexdigest() for start, end in pairwise(bounds.to_pylist()))


def _of_these(tenants: pa.ChunkedArray, rows: pa.Table) -> pa.Table:
    """The rows from the first of these tenants to the last; both are in order."""
    return between(rows, tenants[0].as_py(), f"{tenants[-1]}\0")


def _known_buyers(rests_on: Basis) -> pa.Table:
    """The buyers that documents tell of (`BUYER_COLUMNS`), by tenant."""
    known = (
        (tenant, it.country, it.region, it.tax_id)
        for tenant, it in sorted((tenant, given.buyer) for tenant, given in rests_on.given.items())
        if it != UNKNOWN
    )
    return table_of(known, BUYER_COLUMNS)


def _offered(segments: pa.Table, rests_on: Basis) -> dict[str, pa.Table]:
    """What documents say of periods and price lists, and whose rest on more of these than plans."""
    versions = sorted(rests_on.catalogs, key=str)
    price_lists = (
        (version, place, f'"{version}":"{rests_on.catalog_hashes[version]}"')
        for place, version in enumerate(versions)
    )
    plans = (
        (version, name, plan.policies.are_usual_for_fees, bool(plan.base_fee_yearly))
        for version, catalog in rests_on.catalogs.items()
        for name, plan in catalog.plans.items()
    )
    return {
        "periods": table_of(_periods(pc.unique(segments["anchor_day"]), rests_on), _PERIODS),
        "price_lists": table_of(price_lists, _PRICE_LISTS),
        "plans": table_of(plans, _PLANS),
        "given": pa.table({"tenant": pa.array(_keeping(rests_on), pa.string())}),
    }


def _keeping(rests_on: Basis) -> Iterator[str]:
    """Who keeps price lists of a coupon or an add-on."""
    for tenant, given in rests_on.given.items():
        if given.redemptions or given.add_ons:
            yield tenant


def _periods(days: pa.Array, rests_on: Basis) -> Iterable[tuple[int, int, int, str]]:
    for day in days.to_pylist():
        period = BillingPeriod.ending_in(rests_on.month, day)
        yield day, period.start_ms, period.end_ms, _json(period_document(period))


def _json(content: object) -> str:
    return msgspec.json.encode(content, order="sorted").decode()
