-- Every delivery of every event as it came. Landing the same offset again changes nothing; a
-- resend stays visible beside the first. `ver` falls as the log grows (bitNot of epoch and offset).
CREATE TABLE IF NOT EXISTS usage_events
(
    tenant       String,
    event_key    FixedString(16),
    source       LowCardinality(String),
    id           String,
    type         LowCardinality(String),
    time         DateTime64(3, 'UTC'),
    data         String CODEC(ZSTD(3)),
    model        LowCardinality(String),
    meters       Array(LowCardinality(String)),
    quantities   Array(Decimal(18, 6)),
    content_hash UInt64 MATERIALIZED cityHash64(type, toUnixTimestamp64Milli(time), meters, quantities),
    repeated     Bool,
    partition    UInt16,
    ver          UInt64,
    item         UInt32,
    arrived      DateTime64(3, 'UTC'),
    sent         Nullable(DateTime64(3, 'UTC')),
    position     UInt64 ALIAS bitNot(ver),
    epoch        UInt16 ALIAS toUInt16(bitShiftRight(bitNot(ver), 48)),
    offset       UInt64 ALIAS bitAnd(bitNot(ver), 281474976710655)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, event_key, ver, item)
COMMENT 'Every delivery as it came; repeated: an earlier element of the same message had its id'
