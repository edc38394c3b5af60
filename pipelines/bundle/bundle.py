"""A month's bundle as tables and texts: everything a stranger needs to compute its lines again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pyarrow as pa

from pipelines.bundle.bundle_invoices import invoice_tables
from pipelines.bundle.bundle_manifest import content
from pipelines.bundle.bundle_sql import verify_sql
from pipelines.bundle.bundle_tables import bundle_tables
from pipelines.bundle.bundle_usage import usage_with_digests
from pipelines.columns.tables import as_table
from pipelines.invoices.books import Books
from schemas.bundle import WrittenFile
from schemas.evidence import EventReader
from schemas.ledger_ports import ClosingLedger
from schemas.progress import Progress, unseen
from schemas.repeats import RepeatedIds
from schemas.tables import RECONCILIATION_COLUMNS


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is written, and what the manifest says of the month once files are there.

    `tables` are those that the month was billed from, `reconciled` its `RECONCILIATION_COLUMNS`,
    `repeated` its ids that came in another month too.
    """

    tables: Mapping[str, pa.Table]
    texts: Mapping[str, str]
    books: Books
    reconciled: pa.Table
    repeated: Sequence[RepeatedIds] = ()

    def parts(self, progress: Progress = unseen) -> Iterator[Mapping[str, pa.Table]]:
        """All rows by file, some after the others."""
        yield self.tables
        yield from invoice_tables(self.books, progress)

    def content(self, written: Mapping[str, WrittenFile], writer: str) -> dict[str, Any]:
        """The manifest's content; see `pipelines.bundle.bundle_manifest`."""
        return content(self.books, self.reconciled, self.repeated, written, writer)


def make_bundle(
    month: str, ledger: ClosingLedger, events: EventReader, progress: Progress = unseen
) -> Bundle:
    """The bundle of a month whose invoices are there, drafts or final.

    Raises:
        NotFound: the month was not opened.
    """
    books = Books(month, ledger)
    progress("usage, and the digests of its events", 0, 0)
    usage = usage_with_digests(books, events)
    progress("what the month was billed from", 0, 0)
    tables = bundle_tables(books, usage)
    readme = (files("pipelines") / "sql" / "verify" / "README.md").read_text()
    texts = {"verify.sql": verify_sql(tables), "README.md": readme}
    reconciled = as_table(ledger.reconciliation(month), RECONCILIATION_COLUMNS)
    repeated = events.repeated_ids(books.period, books.closing.vector)
    return Bundle(tables, texts, books, reconciled, repeated)
