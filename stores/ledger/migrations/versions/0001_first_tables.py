"""The first tables, as they were; what they mean is said in `stores.ledger.tables.tables`."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
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


def upgrade() -> None:
    """Make all tables."""
    _price_list()
    _subscriptions()
    _subscription_changes()
    _closings()
    _priced_lines()
    _invoices()
    _invoice_lines()
    _payments()
    _webhooks()
    _records()
    _extras()
    _credits()


def _price_list() -> None:
    """Price lists and epochs."""
    op.create_table(
        "catalog_versions",
        Column("version", Integer, primary_key=True, autoincrement=False),
        Column("document", LargeBinary, nullable=False),
        _text("document_hash"),
        _big("applied_ms"),
    )
    op.create_table(
        "epochs",
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("topic_id", TEXT, nullable=False, unique=True),
        _text("topic"),
        Column("partitions", Integer, nullable=False),
        _big("opened_ms"),
    )


def _subscriptions() -> None:
    """Who has which plan."""
    op.create_table(
        "tenants",
        _key("tenant"),
        _text("name"),
        _text("currency"),
        _text("card"),
        Column("country", TEXT),
        Column("region", TEXT),
        Column("tax_id", TEXT),
        _big("version"),
        _count("published_version"),
        _text("month"),
        _partial("ix_tenants_behind", "tenant", where="published_version < version"),
        Index("ix_tenants_month", "month"),
    )
    op.create_table(
        "subscriptions",
        _key("id"),
        Column("tenant", TEXT, ForeignKey("tenants.tenant"), nullable=False, unique=True),
        Column("anchor_day", SmallInteger, nullable=False),
        _big("version"),
        _count("mirrored_version"),
        _big("created_ms"),
        _big("changed_ms"),
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
    op.create_table(
        "subscription_segments",
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


def _subscription_changes() -> None:
    """What was done to subscriptions."""
    op.create_table(
        "subscription_changes",
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
        Column("before", TEXT),
        Column("after", TEXT),
        UniqueConstraint("subscription", "key"),
    )


def _closings() -> None:
    """A month being billed."""
    op.create_table(
        "closings",
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
    op.create_table(
        "closing_slices",
        _key("month"),
        _key("slice"),
        _big("started"),
        _count("live"),
        _count("row_count"),
    )
    op.create_table(
        "closed_usage",
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
    op.create_table(
        "reconciliations",
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


def _priced_lines() -> None:
    """Lines before they are an invoice's."""
    op.create_table(
        "invoice_line_drafts",
        _key("month"),
        _key("tenant"),
        _key("subscription"),
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


def _invoices() -> None:
    """Invoices, their lines and numbers."""
    op.create_table(
        "invoices",
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
        UniqueConstraint("subscription", "month"),
        UniqueConstraint("number", "seller"),
        CheckConstraint("state IN ('draft', 'finalized', 'paid', 'past_due')", name="state"),
        CheckConstraint("(state = 'draft') = (number IS NULL)", name="numbered"),
        Index("ix_invoices_month_order", "month", "tenant", "subscription"),
        Index("ix_invoices_tenant", "tenant"),
        _partial("ix_invoices_past_due", "subscription", where="state = 'past_due'"),
        _partial(
            "ix_invoices_behind", "id", where="mirrored_version < version AND state <> 'draft'"
        ),
    )


def _invoice_lines() -> None:
    """Lines and numbers of invoices."""
    op.create_table(
        "invoice_lines",
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
    op.create_table(
        "number_series",
        _key("seller"),
        _key("month"),
        _big("last"),
    )


def _payments() -> None:
    """Attempts to collect."""
    op.create_table(
        "payment_attempts",
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
        _partial(
            "uq_payment_attempts_open",
            "invoice",
            where="state IN ('submitting', 'processing', 'succeeded')",
            unique=True,
        ),
    )


def _webhooks() -> None:
    """What providers send."""
    op.create_table(
        "webhook_inbox",
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


def _records() -> None:
    """What happened, for others and for the record."""
    op.create_table(
        "billing_events",
        _serial(),
        Column("event_id", TEXT, nullable=False, unique=True),
        _text("type"),
        _text("tenant"),
        _big("at_ms"),
        _text("data"),
        Column("published_ms", BigInteger),
        _partial("ix_billing_events_unpublished", "id", where="published_ms IS NULL"),
    )
    op.create_table(
        "overrides",
        _key("month"),
        _key("tenant"),
        _text("who"),
        _text("why"),
        _big("at_ms"),
    )
    op.create_table(
        "audit_log",
        _serial(),
        _big("at_ms"),
        _text("who"),
        _text("action"),
        _text("subject"),
        _text("detail"),
    )


def _extras() -> None:
    """What tenants have beside their plans."""
    op.create_table(
        "coupon_redemptions",
        Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
        _key("coupon"),
        Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
        _big("starts_ms"),
        Column("ends_ms", BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "booked_add_ons",
        Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
        _key("key"),
        _text("add_on"),
        Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
        _big("quantity"),
        _big("starts_ms"),
        Column("ends_ms", BigInteger),
        CheckConstraint("quantity > 0", name="quantity"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "one_off_items",
        Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
        _key("key"),
        _text("month"),
        _text("currency"),
        _big("amount_minor"),
        _text("description"),
        CheckConstraint("amount_minor > 0", name="amount"),
        Index("ix_one_off_items_month", "month"),
        sqlite_with_rowid=False,
    )


def _credits() -> None:
    """Money paid in advance, and the invoices that it paid."""
    op.create_table(
        "credit_grants",
        Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
        _key("key"),
        _text("currency"),
        _big("amount_minor"),
        _big("granted_ms"),
        Column("expires_ms", BigInteger),
        _big("priority"),
        CheckConstraint("amount_minor > 0", name="amount"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credit_applications",
        _key("tenant"),
        _key("grant_key"),
        Column("invoice", TEXT, ForeignKey("invoices.id"), primary_key=True),
        _big("amount_minor"),
        _big("applied_ms"),
        Column("returned_ms", BigInteger),
        sqlite_with_rowid=False,
    )
