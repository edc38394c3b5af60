-- Every delivery of every event as it came. Landing the same offset again changes nothing; a
-- resend stays visible beside the first. `ver` falls as the log grows (bitNot of epoch and offset).
-- `event_key` is the identity of an event within its tenant and is defined here alone: SipHash-2-4
-- of 128 bits, without a key, of the source's length in bytes, a colon, source and id.
-- `meters`, `quantities`, `members` and `dimensions` belong together; only a unique_count meter has
-- a member, only one with a pricing key a dimension, and that is '' where the event has none. Other
-- meters of its type are in `left_out`, by their filter.
CREATE TABLE IF NOT EXISTS usage_events
(
    tenant       String,
    event_key    FixedString(16) MATERIALIZED sipHash128Reference(concat(toString(length(source)), ':', source, id)),
    source       LowCardinality(String),
    id           String,
    type         LowCardinality(String),
    time         DateTime64(3, 'UTC'),
    data         String CODEC(ZSTD(3)),
    model        LowCardinality(String),
    meters       Array(LowCardinality(String)),
    quantities   Array(Decimal(18, 6)),
    members      Array(String) DEFAULT arrayWithConstant(length(meters), ''),
    dimensions   Array(String) DEFAULT arrayWithConstant(length(meters), ''),
    left_out     Array(LowCardinality(String)),
    content_hash UInt64 MATERIALIZED cityHash64(type, toUnixTimestamp64Milli(time), meters, quantities, members, dimensions),
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
