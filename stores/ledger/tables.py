"""The ledger's tables. Owns their names, keys and indexes; the migrations make them.

Instants are epoch milliseconds, money minor units, quantities 1e-6 units, prices 1e-12 of a
currency unit: all BIGINT. Every table has a natural key; that is what makes a second run harmless.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql

VERSION_TABLE = "ledger_version"
"""Alembic's mark. Dagster's storage, which may share the server, has its own."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Bytewise order on both: invoices are numbered by it, and documents must not depend on a locale.
TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
# SQLite numbers rows by itself only in a column that it calls INTEGER.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")


def _serial() -> Column[int]:
    return Column("id", _Sequence, primary_key=True, autoincrement=True)


def _key(name: str) -> Column[str]:
    return Column(name, TEXT, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, TEXT, nullable=False)


def _big(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(
        name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where)
    )


catalog_versions = Table(
    "catalog_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
    _text("document_hash"),
    _big("applied_ms"),
    Column("rolled_out_ms", BigInteger),
)

epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("topic_id", TEXT, nullable=False, unique=True),
    _text("topic"),
    Column("partitions", Integer, nullable=False),
    _big("opened_ms"),
    Column("ends", TEXT),
)

tenants = Table(
    "tenants",
    metadata,
    _key("tenant"),
    _text("name"),
    _text("currency"),
    _text("card"),
    # where it buys, and what makes it a business, for tax
    Column("country", TEXT),
    Column("region", TEXT),
    Column("tax_id", TEXT),
    # entitlements: `version` is to be on the topic, `published_version` is; `month` is the
    # calendar month for which the version was made
    _big("version"),
    _count("published_version"),
    _text("month"),
    _partial("ix_tenants_behind", "tenant", where="published_version < version"),
    Index("ix_tenants_month", "month"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    _key("id"),
    Column("tenant", TEXT, ForeignKey("tenants.tenant"), nullable=False, unique=True),
    Column("anchor_day", SmallInteger, nullable=False),
    _big("version"),
    _count("mirrored_version"),
    _big("created_ms"),
    _big("changed_ms"),
    # its state as the last row of `subscription_changes` left it, and when the timeline changes it
    Column("state", TEXT),
    Column("next_move_ms", BigInteger),
    _partial("ix_subscriptions_behind", "id", where="mirrored_version < version"),
    _partial("ix_subscriptions_next_move", "next_move_ms", where="next_move_ms IS NOT NULL"),
    _partial("ix_subscriptions_past_due", "id", where="state = 'past_due'"),
    CheckConstraint(
        "state IN ('trialing', 'active', 'paused', 'past_due', 'cancelled', 'expired')",
        name="state",
    ),
)

subscription_segments = Table(
    "subscription_segments",
    metadata,
    Column("subscription", TEXT, ForeignKey("subscriptions.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    _text("plan"),
    Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
    _big("starts_ms"),
    Column("ends_ms", BigInteger),
    _text("billing_interval"),
    _text("phase"),
    Column("is_cancelled", Boolean, nullable=False),
    CheckConstraint("billing_interval IN ('month', 'year')", name="interval"),
    CheckConstraint("phase IN ('trial', 'active', 'paused')", name="phase"),
    sqlite_with_rowid=False,
)

subscription_changes = Table(
    "subscription_changes",
    metadata,
    _serial(),
    Column("subscription", TEXT, ForeignKey("subscriptions.id"), nullable=False),
    _text("command"),
    _text("request"),
    _text("key"),
    _text("who"),
    _text("why"),
    _text("what"),
    _big("recorded_ms"),
    _big("effective_ms"),
    Column("from_state", TEXT),
    Column("to_state", TEXT),
    _big("version"),
    # the timeline as JSON, where the change is one of it
    Column("before", TEXT),
    Column("after", TEXT),
    UniqueConstraint("subscription", "key"),
)

closings = Table(
    "closings",
    metadata,
    _key("month"),
    _text("vector"),
    Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
    _text("code_version"),
    _big("opened_ms"),
    Column("closed_ms", BigInteger),
    _text("state"),
    Column("without_counters", TEXT),
    CheckConstraint("state IN ('awaiting', 'open', 'closed')", name="state"),
)

closing_slices = Table(
    "closing_slices",
    metadata,
    _key("month"),
    _key("slice"),
    # rows of generation `live` are the slice; `started` is ahead of it while another is written
    _big("started"),
    _count("live"),
    _count("row_count"),
)

closed_usage = Table(
    "closed_usage",
    metadata,
    _key("month"),
    _key("tenant"),
    _key("meter"),
    Column("segment", Integer, primary_key=True, autoincrement=False),
    _key("value"),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    _big("quantity_micro"),
    _big("events"),
    sqlite_with_rowid=False,
)

invoice_line_drafts = Table(
    "invoice_line_drafts",
    metadata,
    _key("month"),
    _key("tenant"),
    _key("subscription"),
    # 0 prorations, 1 charges, 2 adjustments: the order of the lines on an invoice
    Column("work", SmallInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    _text("currency"),
    _text("kind"),
    Column("meter", TEXT),
    Column("value", TEXT),
    _text("plan"),
    _big("period_start_ms"),
    _big("period_end_ms"),
    Column("quantity_micro", BigInteger),
    Column("unit_price_pico", BigInteger),
    Column("fee_minor", BigInteger),
    _big("amount_minor"),
    Column("product", TEXT),
    Column("name", TEXT),
    Column("rate_ppm", BigInteger),
    Column("base_minor", BigInteger),
    Column("tax_minor", BigInteger),
    sqlite_with_rowid=False,
)

reconciliations = Table(
    "reconciliations",
    metadata,
    _key("month"),
    _key("tenant"),
    _key("meter"),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("counter_micro", BigInteger),
    _big("warehouse_micro"),
    _big("beyond_window_micro"),
    _big("billed_micro"),
    _big("unpriced_micro"),
    Column("held", TEXT),
    sqlite_with_rowid=False,
)

invoices = Table(
    "invoices",
    metadata,
    _key("id"),
    _text("tenant"),
    _text("subscription"),
    _text("month"),
    _text("currency"),
    _big("total_minor"),
    Column("document", LargeBinary, nullable=False),
    _text("document_hash"),
    _text("state"),
    Column("seller", TEXT),
    Column("number", TEXT),
    Column("issued_ms", BigInteger),
    Column("due_ms", BigInteger),
    Column("held", TEXT),
    _big("generation"),
    _big("version"),
    _count("mirrored_version"),
    Column("kind", TEXT, nullable=False, server_default="invoice"),
    # the id of the invoice that a note corrects, and what notes have taken off this one
    Column("corrects", TEXT),
    _count("credited_minor"),
    UniqueConstraint("number", "seller"),
    CheckConstraint("state IN ('draft', 'finalized', 'paid', 'past_due', 'void')", name="state"),
    CheckConstraint("kind IN ('invoice', 'note')", name="kind"),
    CheckConstraint("(state = 'draft') = (number IS NULL)", name="numbered"),
    Index("ix_invoices_month_order", "month", "tenant", "subscription"),
    Index("ix_invoices_tenant", "tenant"),
    _partial("ix_invoices_past_due", "subscription", where="state = 'past_due'"),
    _partial("ix_invoices_behind", "id", where="mirrored_version < version AND state <> 'draft'"),
    _partial(
        "uq_invoices_one",
        *("subscription", "month"),
        where="kind = 'invoice' AND state <> 'void'",
        unique=True,
    ),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("invoice", TEXT, ForeignKey("invoices.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    _text("kind"),
    _text("plan"),
    Column("meter", TEXT),
    Column("value", TEXT),
    _big("period_start_ms"),
    _big("period_end_ms"),
    Column("quantity_micro", BigInteger),
    Column("unit_price_pico", BigInteger),
    Column("fee_minor", BigInteger),
    _big("amount_minor"),
    Column("product", TEXT),
    Column("name", TEXT),
    Column("rate_ppm", BigInteger),
    Column("base_minor", BigInteger),
    Column("tax_minor", BigInteger),
    _partial("ix_invoice_lines_credits", "invoice", where="kind = 'credit_applied'"),
    _partial("ix_invoice_lines_items", "invoice", where="kind = 'item'"),
    sqlite_with_rowid=False,
)

number_series = Table(
    "number_series",
    metadata,
    _key("seller"),
    _key("month"),
    _big("last"),
)

payment_attempts = Table(
    "payment_attempts",
    metadata,
    _key("id"),
    Column("invoice", TEXT, ForeignKey("invoices.id"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    _text("tenant"),
    _text("provider"),
    _big("amount_minor"),
    _text("currency"),
    _text("card"),
    Column("key", TEXT, nullable=False, unique=True),
    _text("state"),
    Column("reference", TEXT),
    Column("failure", TEXT),
    _big("created_ms"),
    _big("changed_ms"),
    UniqueConstraint("invoice", "ordinal"),
    UniqueConstraint("provider", "reference"),
    CheckConstraint(
        "state IN ('submitting', 'processing', 'succeeded', 'failed', 'canceled')", name="state"
    ),
    # the gate against a second charge: one attempt that pays or still may
    _partial(
        "uq_payment_attempts_open",
        "invoice",
        where="state IN ('submitting', 'processing', 'succeeded')",
        unique=True,
    ),
)

webhook_inbox = Table(
    "webhook_inbox",
    metadata,
    _serial(),
    _text("provider"),
    _text("event_id"),
    _text("kind"),
    _text("reference"),
    Column("raw", LargeBinary, nullable=False),
    _big("received_ms"),
    Column("done_ms", BigInteger),
    UniqueConstraint("provider", "event_id"),
    _partial("ix_webhook_inbox_pending", "id", where="done_ms IS NULL"),
)

billing_events = Table(
    "billing_events",
    metadata,
    _serial(),
    Column("event_id", TEXT, nullable=False, unique=True),
    _text("type"),
    _text("tenant"),
    _big("at_ms"),
    _text("data"),
    Column("published_ms", BigInteger),
    _partial("ix_billing_events_unpublished", "id", where="published_ms IS NULL"),
)

overrides = Table(
    "overrides",
    metadata,
    _key("month"),
    _key("tenant"),
    _text("who"),
    _text("why"),
    _big("at_ms"),
)

audit_log = Table(
    "audit_log",
    metadata,
    _serial(),
    _big("at_ms"),
    _text("who"),
    _text("action"),
    _text("subject"),
    _text("detail"),
)
