CREATE TABLE IF NOT EXISTS invoice_lines_mirror
(
    invoice      String,
    ordinal      UInt32,
    tenant       String,
    month        LowCardinality(String),
    kind         LowCardinality(String),
    meter        LowCardinality(Nullable(String)),
    plan         LowCardinality(String),
    quantity     Nullable(Decimal(38, 6)),
    unit_price   Nullable(Decimal(38, 12)),
    amount_minor Int64,
    currency     LowCardinality(String),
    period_start DateTime64(3, 'UTC'),
    period_end   DateTime64(3, 'UTC'),
    version      UInt64,
    value        Nullable(String),
    name         Nullable(String),
    product      LowCardinality(Nullable(String)),
    tax_minor    Nullable(Int64)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (month, invoice, ordinal)
COMMENT 'Copy of the ledger for analytics; the ledger is the truth'
