"""Drafts kept in memory give out what they were made of, by ranges of tenants."""

import pyarrow as pa
import pytest

from pipelines.columns.tables import schema_of
from pipelines.invoices.draft_tables import part_of
from pipelines.invoices.kept_drafts import KeptDrafts
from schemas.invoice import Invoice, InvoiceLine
from schemas.ledger_ports import EVERYBODY, TenantRange
from schemas.tables import DOCUMENT_COLUMNS, INVOICE_LINE_COLUMNS, RECORD_COLUMNS
from tests.builders import OCTOBER
from tests.invoice_tables import among, documents_of, heads_of, lines_of

LINE = InvoiceLine("base_fee", "pro", OCTOBER, 4999)
DRAFTS = [
    Invoice(f"{tenant}:2026-10", tenant, tenant, "2026-10", "USD", lines, tenant.encode(), "00")
    for tenant, lines in (("acme", (LINE, LINE)), ("bolt", ()), ("core", (LINE,)))
]
RANGES: list[TenantRange] = [
    EVERYBODY, ("bolt", None), (None, "bolt"), ("acme", "core"), ("b", "c"), ("d", None)
]  # fmt: skip


@pytest.mark.parametrize("tenants", RANGES)
def test_a_range_has_its_tenants_and_no_others(tenants: TenantRange) -> None:
    kept, own = KeptDrafts.of(*part_of(DRAFTS)), among(DRAFTS, tenants)
    lines = pa.Table.from_batches(kept.lines(tenants), schema_of(INVOICE_LINE_COLUMNS))
    documents = pa.Table.from_batches(kept.documents(tenants), schema_of(DOCUMENT_COLUMNS))
    assert lines.equals(lines_of(own))
    assert documents.equals(documents_of(own))


def test_who_is_held_is_told_and_who_was_is_not_any_more() -> None:
    kept = KeptDrafts.of(*part_of(DRAFTS))
    assert kept.heads.equals(heads_of(DRAFTS, RECORD_COLUMNS))
    held = kept.held({"acme": "later", "elsewhere": "never"}).held({"bolt": "it differs"})
    assert held.heads["held"].to_pylist() == [None, "it differs", None]
