"""Tables of what tenants have beside their plans: coupons, add-ons, one-off items, credits.

Each row has a key that a command may repeat. A credit's applications are written by finalizing.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table

from stores.ledger.tables.tables import TEXT, metadata

coupon_redemptions = Table(
    "coupon_redemptions",
    metadata,
    Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
    Column("coupon", TEXT, primary_key=True),
    Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
    Column("starts_ms", BigInteger, nullable=False),
    Column("ends_ms", BigInteger),
    sqlite_with_rowid=False,
)

booked_add_ons = Table(
    "booked_add_ons",
    metadata,
    Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("add_on", TEXT, nullable=False),
    Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("starts_ms", BigInteger, nullable=False),
    Column("ends_ms", BigInteger),
    CheckConstraint("quantity > 0", name="quantity"),
    sqlite_with_rowid=False,
)

one_off_items = Table(
    "one_off_items",
    metadata,
    Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("month", TEXT, nullable=False),
    Column("currency", TEXT, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("description", TEXT, nullable=False),
    CheckConstraint("amount_minor > 0", name="amount"),
    Index("ix_one_off_items_month", "month"),
    sqlite_with_rowid=False,
)

credit_grants = Table(
    "credit_grants",
    metadata,
    Column("tenant", TEXT, ForeignKey("tenants.tenant"), primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("currency", TEXT, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("granted_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("priority", BigInteger, nullable=False),
    CheckConstraint("amount_minor > 0", name="amount"),
    sqlite_with_rowid=False,
)

credit_applications = Table(
    "credit_applications",
    metadata,
    Column("tenant", TEXT, primary_key=True),
    Column("grant_key", TEXT, primary_key=True),
    Column("invoice", TEXT, ForeignKey("invoices.id"), primary_key=True),
    Column("amount_minor", BigInteger, nullable=False),
    Column("applied_ms", BigInteger, nullable=False),
    # given back when the invoice was voided; the row stays
    Column("returned_ms", BigInteger),
    sqlite_with_rowid=False,
)
