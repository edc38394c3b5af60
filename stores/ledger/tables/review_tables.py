"""The tables of a person's look at drafts: who holds one back, and who has approved which."""

from sqlalchemy import Table

from stores.ledger.tables.tables import big, key, metadata, text_column

holds = Table(
    "holds",
    metadata,
    key("month"),
    key("tenant"),
    text_column("who"),
    text_column("why"),
    big("at_ms"),
)

approvals = Table(
    "approvals",
    metadata,
    key("invoice"),
    # the draft as it was read: one that is made anew, and otherwise, was not approved
    text_column("document_hash"),
    text_column("who"),
    big("at_ms"),
)

months_to_approve = Table("months_to_approve", metadata, key("month"))
