"""The tables of price lists, of epochs, of tenants and their subscriptions."""

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
    Table,
    UniqueConstraint,
)

from stores.ledger.tables.tables import (
    TEXT,
    big,
    count,
    key,
    metadata,
    partial,
    serial,
    text_column,
)

catalog_versions = Table(
    "catalog_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
    text_column("document_hash"),
    big("applied_ms"),
    Column("rolled_out_ms", BigInteger),
)

epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("topic_id", TEXT, nullable=False, unique=True),
    text_column("topic"),
    Column("partitions", Integer, nullable=False),
    big("opened_ms"),
    Column("ends", TEXT),
)

tenants = Table(
    "tenants",
    metadata,
    key("tenant"),
    text_column("name"),
    text_column("currency"),
    text_column("card"),
    # where it buys, and what makes it a business, for tax
    Column("country", TEXT),
    Column("region", TEXT),
    Column("tax_id", TEXT),
    # entitlements: `version` is to be on the topic, `published_version` is; `month` is the
    # calendar month for which the version was made, and by which revision
    big("version"),
    count("published_version"),
    text_column("month"),
    partial("ix_tenants_behind", "tenant", where="published_version < version"),
    Index("ix_tenants_month", "month"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    key("id"),
    Column("tenant", TEXT, ForeignKey("tenants.tenant"), nullable=False, unique=True),
    Column("anchor_day", SmallInteger, nullable=False),
    big("version"),
    count("mirrored_version"),
    big("created_ms"),
    big("changed_ms"),
    # its state as the last row of `subscription_changes` left it, and when the timeline changes it
    Column("state", TEXT),
    Column("next_move_ms", BigInteger),
    partial("ix_subscriptions_behind", "id", where="mirrored_version < version"),
    partial("ix_subscriptions_next_move", "next_move_ms", where="next_move_ms IS NOT NULL"),
    partial("ix_subscriptions_past_due", "id", where="state = 'past_due'"),
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
    text_column("plan"),
    Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
    big("starts_ms"),
    Column("ends_ms", BigInteger),
    text_column("billing_interval"),
    text_column("phase"),
    Column("is_cancelled", Boolean, nullable=False),
    CheckConstraint("billing_interval IN ('month', 'year')", name="interval"),
    CheckConstraint("phase IN ('trial', 'active', 'paused')", name="phase"),
    sqlite_with_rowid=False,
)

subscription_changes = Table(
    "subscription_changes",
    metadata,
    serial(),
    Column("subscription", TEXT, ForeignKey("subscriptions.id"), nullable=False),
    text_column("command"),
    text_column("request"),
    text_column("key"),
    text_column("who"),
    text_column("why"),
    text_column("what"),
    big("recorded_ms"),
    big("effective_ms"),
    Column("from_state", TEXT),
    Column("to_state", TEXT),
    big("version"),
    # the timeline as JSON, where the change is one of it
    Column("before", TEXT),
    Column("after", TEXT),
    UniqueConstraint("subscription", "key"),
)
