"""What an older ledger holds is there after its tables were made anew."""

import sqlalchemy as sa

from stores.ledger import connect, migrate
from stores.ledger.connection import open_engine, transaction
from stores.ledger.migrating import upgrade
from tests.unit.stores.ledger.builders import MONTH, rows_of

INVOICE = """
INSERT INTO invoices (id, tenant, subscription, month, currency, total_minor, document,
    document_hash, state, seller, number, issued_ms, due_ms, generation, version, kind)
VALUES ('sub_{0}:2026-10', '{0}', 'sub_{0}', '2026-10', 'USD', {1}, :document, 'hash',
    'finalized', 'seller', '2026-10-{2}', 1, 2, 1, 2, 'invoice')
"""
LINE = """
INSERT INTO invoice_lines (invoice, ordinal, kind, plan, meter, value, period_start_ms,
    period_end_ms, amount_minor, name)
VALUES ('sub_{0}:2026-10', {1}, '{2}', 'pro', NULL, NULL, 0, 1, {3}, {4})
"""
USAGE = """
INSERT INTO closed_usage (month, tenant, meter, segment, value, generation, quantity_micro, events)
VALUES ('2026-10', '{0}', 'tokens', 1, '', {1}, 7, 2)
"""
DRAFT_LINE = """
INSERT INTO invoice_line_drafts (month, tenant, subscription, work, ordinal, generation, currency,
    kind, plan, period_start_ms, period_end_ms, amount_minor)
VALUES ('2026-10', 'acme', 'sub_acme', {0}, 0, 1, 'USD', '{1}', 'pro', 0, 1, 5)
"""
RECONCILED = """
INSERT INTO reconciliations (month, tenant, meter, generation, warehouse_micro,
    beyond_window_micro, billed_micro, unpriced_micro, held)
VALUES ('2026-10', '{0}', '{1}', 1, 7, 0, 7, 0, {2})
"""
MARK = (
    "INSERT INTO closing_slices (month, slice, started, live) VALUES ('2026-10', '{0}', {1}, {1})"
)
OLD = [
    *(MARK.format(name, 1) for name in ("prorations", "charges", "reconciliation")),
    MARK.format("usage", 2),
    USAGE.format("bolt", 2), USAGE.format("acme", 2), USAGE.format("rubbish", 1),
    DRAFT_LINE.format(1, "overage"), DRAFT_LINE.format(0, "base_fee"),
    RECONCILED.format("acme", "seats", "NULL"), RECONCILED.format("acme", "tokens", "'why'"),
    INVOICE.format("bolt", 7, "000002"), INVOICE.format("acme", 3, "000001"),
    LINE.format("bolt", 1, "base_fee", 7, "NULL"),
    LINE.format("acme", 2, "credit_applied", -2, "'pay_1'"),
    LINE.format("acme", 1, "base_fee", 5, "NULL"),
]  # fmt: skip


def _older(url: str) -> None:
    """A ledger as version 0003 left it."""
    engine = open_engine(url)
    with engine.connect() as connection, transaction(connection):
        upgrade(connection, "0003")
        for statement in OLD:
            given = {"document": b"{}"} if ":document" in statement else {}
            connection.execute(sa.text(statement), given)
    engine.dispose()


def test_slices_are_read_as_they_were_and_rubbish_is_gone(empty_url: str) -> None:
    _older(empty_url)
    migrate(empty_url)
    ledger = connect(empty_url)
    assert [row[0] for row in rows_of(ledger.usage(MONTH))] == ["acme", "bolt"]
    assert [row[4] for row in rows_of(ledger.lines(MONTH))] == ["base_fee", "overage"]
    found = [(row[0], row[1], row[7]) for row in rows_of(ledger.reconciliation(MONTH))]
    assert found == [("acme", "seats", None), ("acme", "tokens", "why")]
    with ledger._reading() as connection:
        recorded = connection.execute(sa.text("SELECT tenant, held FROM reconciled")).all()
    assert [tuple(row) for row in recorded] == [("acme", "why")]
    ledger.close()


def test_invoices_keep_their_lines_documents_and_numbers(empty_url: str) -> None:
    _older(empty_url)
    migrate(empty_url)
    ledger = connect(empty_url)
    acme, bolt = ledger.invoices(MONTH)
    assert (acme.number, acme.document, acme.state) == ("2026-10-000001", b"{}", "finalized")
    assert [(line.kind, line.amount_minor) for line in acme.lines] == [
        ("base_fee", 5),
        ("credit_applied", -2),
    ]
    assert [line.amount_minor for line in bolt.lines] == [7]
    assert (acme.reversed_minor, ledger.reversals()) == (0, {})
    with ledger._reading() as connection:
        counted = connection.execute(sa.text("SELECT name, amount_minor FROM counted_lines")).all()
    assert [tuple(row) for row in counted] == [("pay_1", -2)]
    ledger.close()
