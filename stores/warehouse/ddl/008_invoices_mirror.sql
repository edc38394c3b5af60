CREATE TABLE IF NOT EXISTS invoices_mirror
(
    invoice      String,
    tenant       String,
    subscription String,
    month        LowCardinality(String),
    number       Nullable(String),
    currency     LowCardinality(String),
    total_minor  Int64,
    state        LowCardinality(String),
    issued_at    Nullable(DateTime64(3, 'UTC')),
    due_at       Nullable(DateTime64(3, 'UTC')),
    held         Nullable(String),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (month, invoice)
COMMENT 'Copy of the ledger for analytics; the ledger is the truth'
