"""A month's bundle in a folder, and what its own script says of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.bundle.bundle_invoices import invoice_tables
from pipelines.bundle.bundle_sql import verify_sql
from pipelines.bundle.bundle_tables import bundle_tables
from pipelines.close import closing
from pipelines.columns.tables import table_of
from pipelines.invoices.books import Books
from schemas.closing import Closing
from schemas.evidence import DIGEST_COLUMNS, EventsOf, Evidence
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.repeats import RepeatedIds
from schemas.tables import ArrowStream
from schemas.vector import Vector
from stores.bundles import write_bundle
from tests.billing import Bill
from tests.builders import usage_table
from tests.fakes import FakeLedger


class NoEvents:
    """A warehouse that knows no event."""

    def evidence(self, asked: EventsOf) -> Evidence:
        return Evidence(0, 0, "", 0, 0, 0, 0)

    def events(self, asked: EventsOf) -> ArrowStream:
        raise NotImplementedError

    def digests(
        self,
        period: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        meters: Iterable[Meter],
        *,
        only_bounded: bool = False,
    ) -> ArrowStream:
        nothing: ArrowStream = table_of([], DIGEST_COLUMNS)
        return nothing

    def repeated_ids(self, month: BillingPeriod, as_of: Vector) -> list[RepeatedIds]:
        return []


def drafted(bill: Bill) -> Books:
    """The books of a month with one bill's tenant, drafts made."""
    month = bill.month.key
    ledger = FakeLedger(dict(bill.catalogs), [bill.subscription])
    ledger.has |= {name: list(rows) for name, rows in bill.has.items()}
    ledger.save_closing(Closing(month, Vector({(1, 0): 1}), max(bill.catalogs), "1", 0))
    tenant = bill.subscription.tenant
    ledger.replace_usage(
        month, usage_table((tenant, *key, micro, 1) for key, micro in bill.usage.items())
    )
    closing.rate_charges(month, ledger)
    closing.prorate_fees(month, ledger)
    closing.draft_invoices(month, ledger)
    return Books(month, ledger)


def write(books: Books, folder: Path) -> dict[str, pa.Table]:
    """Put the books' bundle into a folder."""
    tables = bundle_tables(books, books.usage)
    [made] = invoice_tables(books)
    texts = {"verify.sql": verify_sql(tables)}
    write_bundle(folder, [tables, made], texts, lambda written: b"{}")
    return {**tables, **made}


def differences(folder: Path) -> list[dict[str, Any]]:
    """What the bundle's script lists."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET file_search_path = $folder", {"folder": str(folder)})
        found = connection.execute((folder / "verify.sql").read_text())
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
