"""The tables of payment attempts, of what went back of them, and of what providers send."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)

from stores.ledger.tables.tables import TEXT, big, key, metadata, partial, serial, text_column

payment_attempts = Table(
    "payment_attempts",
    metadata,
    key("id"),
    Column("invoice", TEXT, ForeignKey("invoices.id"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    text_column("tenant"),
    text_column("provider"),
    big("amount_minor"),
    text_column("currency"),
    text_column("card"),
    Column("key", TEXT, nullable=False, unique=True),
    text_column("state"),
    Column("reference", TEXT),
    Column("failure", TEXT),
    big("created_ms"),
    big("changed_ms"),
    UniqueConstraint("invoice", "ordinal"),
    UniqueConstraint("provider", "reference"),
    CheckConstraint(
        "state IN ('submitting', 'processing', 'succeeded', 'failed', 'canceled')", name="state"
    ),
    # the gate against a second charge: one attempt that pays or still may
    partial(
        "uq_payment_attempts_open",
        "invoice",
        where="state IN ('submitting', 'processing', 'succeeded')",
        unique=True,
    ),
)

# Refunds and disputes, each by its provider's id; the currency is its payment's.
payment_reversals = Table(
    "payment_reversals",
    metadata,
    key("provider"),
    key("reference"),
    Column("attempt", TEXT, ForeignKey("payment_attempts.id"), nullable=False),
    text_column("kind"),
    text_column("state"),
    big("amount_minor"),
    big("at_ms"),
    big("changed_ms"),
    CheckConstraint("kind IN ('refund', 'dispute')", name="kind"),
    CheckConstraint("state IN ('pending', 'settled', 'undone')", name="state"),
    CheckConstraint("amount_minor > 0", name="amount"),
    Index("ix_payment_reversals_attempt", "attempt"),
)

webhook_inbox = Table(
    "webhook_inbox",
    metadata,
    serial(),
    text_column("provider"),
    text_column("event_id"),
    text_column("kind"),
    text_column("reference"),
    Column("raw", LargeBinary, nullable=False),
    big("received_ms"),
    Column("done_ms", BigInteger),
    UniqueConstraint("provider", "event_id"),
    partial("ix_webhook_inbox_pending", "id", where="done_ms IS NULL"),
)
