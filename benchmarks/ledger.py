"""How fast a month's invoices are written into the ledger and finalized.

    python -m benchmarks.ledger --invoices 1000000

Drafts of seven or eight lines and a document of a kilobyte are made in memory, written by
`replace_drafts`, compared by name, and finalized with numbers and events; the ledger is SQLite in
a folder of its own, or the one that --ledger names. Beside it stands the plain way with fewer
invoices: the same rows, each table by one `execute` of a list. CPU is the process's own.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from schemas.closing import Closing
from schemas.tables import DRAFT_COLUMNS, INVOICE_LINE_COLUMNS, RECONCILIATION_COLUMNS
from schemas.vector import Vector
from stores import ledger
from stores.ledger.connection import open_engine, writing
from stores.ledger.tables.invoice_tables import invoices

MONTH = "2026-10"
AT_ONCE = 50_000
NOW = 1_793_505_600_000
CATALOG = (
    b'{"name":"one","currencies":["USD"],"default_plan":"free",'
    b'"meters":{"tokens":{"event_type":"t","aggregation":"count"}},'
    b'"plans":{"free":{"base_fee":{"USD":"0"},"meters":{"tokens":{"included":"1"}}}}}'
)
_INVOICES = f"""
SELECT
    printf('sub_tenant-%07d:{MONTH}', i) AS id,
    printf('tenant-%07d', i) AS tenant,
    printf('sub_tenant-%07d', i) AS subscription,
    '{MONTH}' AS month,
    'USD' AS currency,
    (1 + i % 5000)::BIGINT AS total_minor,
    encode(printf('%07d', i) || repeat('sixteen letters,', 70)) AS document,
    sha256(tenant) AS document_hash,
    NULL::VARCHAR AS held,
    'invoice' AS kind,
    NULL::VARCHAR AS corrects
FROM range($first, $last) AS t(i)
ORDER BY i
"""
_LINES = f"""
SELECT
    printf('sub_tenant-%07d:{MONTH}', i) AS invoice,
    n::INTEGER AS ordinal,
    CASE WHEN n = 1 THEN 'base_fee' WHEN n % 2 = 0 THEN 'included' ELSE 'overage' END AS kind,
    'middle' AS plan,
    CASE WHEN n > 1 THEN ['calls', 'seats', 'storage', 'tokens'][1 + n % 4] END AS meter,
    CASE WHEN n > 1 THEN '' END AS value,
    1790812800000 AS period_start_ms,
    1793491200000 AS period_end_ms,
    CASE WHEN n > 1 THEN (i * 7919 + n) % 1000000 * 1000000 END AS quantity_micro,
    CASE WHEN n > 1 THEN n * 1000000000 END AS unit_price_pico,
    CASE WHEN n = 1 THEN 1000 END AS fee_minor,
    CASE WHEN n = 1 THEN 1 + i % 5000 ELSE 0 END AS amount_minor,
    NULL AS product, NULL AS name, NULL AS rate_ppm, NULL AS base_minor, NULL AS tax_minor
FROM range($first, $last) AS t(i), range(1, 9) AS u(n)
WHERE n < 8 OR i % 10 < 7
ORDER BY i, n
"""


def parts(count: int) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Made-up drafts and their lines, in the order of their tenants."""
    for first in range(0, count, AT_ONCE):
        span = {"first": first, "last": min(first + AT_ONCE, count)}
        with duckdb.connect() as made:
            tables = [made.sql(sql, params=span).to_arrow_table() for sql in (_INVOICES, _LINES)]
        schemas = map(_schema, (DRAFT_COLUMNS, INVOICE_LINE_COLUMNS))
        drafts, lines = (each.cast(its) for each, its in zip(tables, schemas, strict=True))
        yield drafts, lines


def compared(count: int) -> pa.RecordBatchReader:
    """A comparison in which every tenant agrees in five meters."""
    schema = _schema(RECONCILIATION_COLUMNS)
    sql = (
        "SELECT printf('tenant-%07d', i) AS tenant, m AS meter, i AS counter_micro,"
        " i AS warehouse_micro, 0::BIGINT AS beyond_window_micro, i AS billed_micro,"
        " 0::BIGINT AS unpriced_micro, NULL::VARCHAR AS held FROM range($count) AS t(i),"
        " unnest(['calls', 'executions', 'seats', 'storage', 'tokens']) AS u(m) ORDER BY 1, 2"
    )
    with duckdb.connect() as made:
        return made.sql(sql, params={"count": count}).to_arrow_table().cast(schema)


def _schema(columns: dict[str, str]) -> pa.Schema:
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])


def write(url: str, count: int) -> None:
    """Write, compare and finalize a month; print what each took."""
    made, recorded = list(parts(count)), compared(count)
    with closing(ledger.connect(url)) as books:
        books.apply_catalog(CATALOG, NOW)
        books.save_closing(Closing(MONTH, Vector({(1, 0): 1}), 1, "1", NOW))
        _measured("write drafts", count, lambda: books.replace_drafts(MONTH, iter(made)))
        _measured("record comparison", count, lambda: books.record_reconciliation(MONTH, recorded))
        _measured("finalize", count, lambda: books.finalize(MONTH, "seller", NOW, NOW))
        _measured("read heads", count, lambda: pa.table(books.invoice_heads(MONTH)))
        _measured("read lines", count, lambda: _read_through(books.invoice_lines(MONTH)))


def _read_through(stream: object) -> None:
    for _ in pa.RecordBatchReader.from_stream(stream):
        pass


def write_plainly(url: str, count: int) -> None:
    """The rows of drafts by lists of parameters, all in one transaction."""
    [(drafts, lines)] = parts(count)
    heads = drafts.drop_columns("document").to_pylist()
    for serial, row in enumerate(heads, start=1):
        row |= {"serial": serial, "state": "draft", "generation": 1, "version": 1}
    documents = [
        {"invoice": serial, "document": document}
        for serial, document in enumerate(drafts["document"].to_pylist(), start=1)
    ]
    with writing(open_engine(url)) as connection:
        plain_lines, plain_documents = _plain_lines(), _plain_documents()
        for table in (plain_lines, plain_documents):
            table.create(connection)
        connection.execute(sa.insert(invoices), heads)
        connection.execute(sa.insert(plain_documents), documents)
        connection.execute(sa.insert(plain_lines), lines.to_pylist())


def _plain_documents() -> sa.Table:
    """A row for each document, by the invoice's serial."""
    serial = sa.Column("invoice", sa.Integer, primary_key=True)
    return sa.Table("plain_documents", sa.MetaData(), serial, sa.Column("document", sa.BLOB))


def _plain_lines() -> sa.Table:
    """A row for each line, by the invoice's id."""
    kinds: dict[str, sa.types.TypeEngine[Any]]
    kinds = {"string": sa.Text(), "int32": sa.Integer(), "int64": sa.BigInteger()}
    columns = (sa.Column(name, kinds[kind]) for name, kind in INVOICE_LINE_COLUMNS.items())
    key = sa.PrimaryKeyConstraint("invoice", "ordinal")
    return sa.Table("plain_lines", sa.MetaData(), *columns, key, sqlite_with_rowid=False)


def _measured(name: str, count: int, work: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:<24}{count:>10,}{wall:>9.2f}{cpu:>9.2f}{cpu / count * 1e6:>11.2f}", flush=True)


def main() -> None:
    """Print seconds, CPU seconds, and CPU microseconds an invoice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--ledger", help="an empty Postgres database; without it SQLite")
    parser.add_argument("--invoices", type=int, default=100_000)
    parser.add_argument("--plain", type=int, default=20_000, help="invoices of the plain way")
    given = parser.parse_args()
    print(f"{'step':<24}{'invoices':>10}{'seconds':>9}{'CPU s':>9}{'µs/invoice':>11}")
    with TemporaryDirectory() as folder:
        url = given.ledger or f"sqlite:///{Path(folder)}/ledger.db"
        ledger.migrate(url)
        write(url, given.invoices)
        if not given.ledger and given.plain:
            plain = f"sqlite:///{Path(folder)}/plain.db"
            ledger.migrate(plain)
            _measured("plainly", given.plain, lambda: write_plainly(plain, given.plain))


if __name__ == "__main__":
    main()
