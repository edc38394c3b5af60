-- What each meter makes of each event: one row for (event, meter), the first delivery's. `ver` is
-- highest for the lowest position, so the engine's "keep the highest version" keeps the first.
-- `member` is the value that a unique_count meter tells apart ('' of other meters); its `value` is 1.
-- `dimension` is the value of the meter's pricing key, '' where it has none. A row that
-- `is_left_out` is no usage: the meter's filter leaves the first delivery out, and so all others.
CREATE TABLE IF NOT EXISTS metered_usage
(
    tenant      String,
    event_key   FixedString(16),
    meter       LowCardinality(String),
    value       Decimal(18, 6),
    member      String,
    dimension   LowCardinality(String),
    is_left_out Bool,
    model       LowCardinality(String),
    type        LowCardinality(String),
    source      LowCardinality(String),
    id          String,
    time        DateTime64(3, 'UTC'),
    partition   UInt16,
    ver         UInt64,
    item        UInt32,
    arrived     DateTime64(3, 'UTC'),
    position    UInt64 ALIAS bitNot(ver),
    epoch       UInt16 ALIAS toUInt16(bitShiftRight(bitNot(ver), 48)),
    offset      UInt64 ALIAS bitAnd(bitNot(ver), 281474976710655)
)
ENGINE = ReplacingMergeTree(ver)
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, event_key, meter)
COMMENT 'Value of each (event, meter), first delivery wins; read it with FINAL'
