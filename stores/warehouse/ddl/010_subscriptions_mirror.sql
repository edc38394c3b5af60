CREATE TABLE IF NOT EXISTS subscriptions_mirror
(
    tenant     String,
    version    UInt64,
    currency   LowCardinality(String),
    plans      Array(LowCardinality(String)),
    starts     Array(DateTime64(3, 'UTC')),
    ends       Array(DateTime64(3, 'UTC')),
    phases     Array(LowCardinality(String)),
    intervals  Array(LowCardinality(String)),
    anchor_day UInt8
)
ENGINE = ReplacingMergeTree(version)
ORDER BY tenant
COMMENT 'Copy of the ledger for analytics: plans over time, half-open; no end is 2200-01-01'
