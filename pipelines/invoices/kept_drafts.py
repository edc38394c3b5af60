"""Draft invoices in memory, packed: those of a million tenants take a few hundred megabytes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import as_table, schema_of
from schemas.invoice import InvoiceState
from schemas.ledger_ports import TenantRange
from schemas.tables import (
    DOCUMENT_COLUMNS,
    DRAFT_COLUMNS,
    INVOICE_LINE_COLUMNS,
    RECORD_COLUMNS,
    ArrowStream,
)

_PACKED = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True, slots=True)
class KeptDrafts:
    """Some drafts as they were made; `heads` are `RECORD_COLUMNS`."""

    heads: pa.Table
    _lines: pa.Buffer
    _documents: pa.Buffer

    @classmethod
    def of(cls, drafts: ArrowStream, lines: ArrowStream) -> "KeptDrafts":
        """Keep a part of a month's drafts (`DRAFT_COLUMNS`, `INVOICE_LINE_COLUMNS`)."""
        made = as_table(drafts, DRAFT_COLUMNS)
        documents = made.select(["id", "document"]).rename_columns(list(DOCUMENT_COLUMNS))
        own = as_table(lines, INVOICE_LINE_COLUMNS)
        return cls(_heads(made), _packed(own), _packed(documents))

    def held(self, reasons: Mapping[str, str]) -> "KeptDrafts":
        """The same, those of these tenants held and no others."""
        tenants = pa.array(reasons, pa.string())
        whys = pa.array(reasons.values(), pa.string())
        held = whys.take(pc.index_in(self.heads["tenant"], value_set=tenants))
        place = self.heads.column_names.index("held")
        return KeptDrafts(self.heads.set_column(place, "held", held), self._lines, self._documents)

    def lines(self, tenants: TenantRange) -> Iterator[pa.RecordBatch]:
        """The lines of a range of tenants, in the order of the drafts."""
        return self._among(self._lines, tenants)

    def documents(self, tenants: TenantRange) -> Iterator[pa.RecordBatch]:
        """Their documents."""
        return self._among(self._documents, tenants)

    def _among(self, packed: pa.Buffer, tenants: TenantRange) -> Iterator[pa.RecordBatch]:
        own = within(self.heads, tenants)
        if own.num_rows:
            rows = pa.ipc.open_stream(packed).read_all()
            if own.num_rows < self.heads.num_rows:
                ids = own["id"].combine_chunks()
                rows = rows.filter(pc.is_in(rows["invoice"], value_set=ids))
            yield from rows.to_batches()


def within(heads: pa.Table, tenants: TenantRange) -> pa.Table:
    """The rows of a range of tenants, in whatever order."""
    first, end = tenants
    own = heads if first is None else heads.filter(pc.greater_equal(heads["tenant"], first))
    return own if end is None else own.filter(pc.less(own["tenant"], end))


def _heads(drafts: pa.Table) -> pa.Table:
    constants = {"state": InvoiceState.DRAFT.value, "number": None}
    columns = {
        name: pa.repeat(pa.scalar(constants[name], pa.string()), drafts.num_rows)
        if name in constants
        else drafts[name]
        for name in RECORD_COLUMNS
    }
    return pa.table(columns, schema=schema_of(RECORD_COLUMNS))


def _packed(rows: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKED) as writer:
        writer.write_table(rows.combine_chunks())
    return sink.getvalue()
