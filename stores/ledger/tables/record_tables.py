"""The tables of what happened: for others to hear, and for the record."""

from sqlalchemy import BigInteger, Column, Table

from stores.ledger.tables.tables import TEXT, big, metadata, partial, serial, text_column

billing_events = Table(
    "billing_events",
    metadata,
    serial(),
    Column("event_id", TEXT, nullable=False, unique=True),
    text_column("type"),
    text_column("tenant"),
    big("at_ms"),
    text_column("data"),
    Column("published_ms", BigInteger),
    partial("ix_billing_events_unpublished", "id", where="published_ms IS NULL"),
)

audit_log = Table(
    "audit_log",
    metadata,
    serial(),
    big("at_ms"),
    text_column("who"),
    text_column("action"),
    text_column("subject"),
    text_column("detail"),
)
