-- A copy of what went to usage.rejected, by its place in the log.
CREATE TABLE IF NOT EXISTS rejected
(
    topic     LowCardinality(String),
    epoch     UInt16,
    partition UInt16,
    offset    UInt64,
    item      UInt32,
    reason    LowCardinality(String),
    detail    String,
    key       Nullable(String),
    element   String CODEC(ZSTD(3)),
    arrived   DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(arrived)
ORDER BY (topic, epoch, partition, offset, item)
COMMENT 'Elements that are not counted, and why'
