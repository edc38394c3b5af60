"""The tables of a month being closed, before there are invoices."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, LargeBinary, Table

from stores.ledger.tables.tables import TEXT, big, count, key, metadata, text_column

closings = Table(
    "closings",
    metadata,
    key("month"),
    text_column("vector"),
    Column("catalog_version", Integer, ForeignKey("catalog_versions.version"), nullable=False),
    text_column("code_version"),
    big("opened_ms"),
    Column("closed_ms", BigInteger),
    text_column("state"),
    Column("without_counters", TEXT),
    CheckConstraint("state IN ('awaiting', 'open', 'closed')", name="state"),
)

closing_slices = Table(
    "closing_slices",
    metadata,
    key("month"),
    key("slice"),
    # rows of generation `live` are the slice; `started` is ahead of it while another is written
    big("started"),
    count("live"),
    count("row_count"),
)

slice_chunks = Table(
    "slice_chunks",
    metadata,
    key("month"),
    key("slice"),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("row_count", Integer, nullable=False),
    # an Arrow IPC stream, compressed
    Column("rows", LargeBinary, nullable=False),
)

reconciled = Table(
    "reconciled",
    metadata,
    key("month"),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    key("tenant"),
    Column("held", TEXT),
    sqlite_with_rowid=False,
)

overrides = Table(
    "overrides",
    metadata,
    key("month"),
    key("tenant"),
    text_column("who"),
    text_column("why"),
    big("at_ms"),
    # the reasons that it is of, as `reconciled` has them; null: of whatever there is
    Column("held", TEXT),
)
