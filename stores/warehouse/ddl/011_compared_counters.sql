-- Counters as they were at the beginning of one comparison. A slice is one such comparison; it is
-- dropped afterwards, and a killed one's after a day.
CREATE TABLE IF NOT EXISTS compared_counters
(
    slice        String,
    tenant       String,
    meter        LowCardinality(String),
    window_kind  LowCardinality(String),
    window_start DateTime64(3, 'UTC'),
    window_end   DateTime64(3, 'UTC'),
    used         Decimal(38, 6),
    reached      UInt64,
    partition    UInt16,
    state_offset UInt64,
    taken        DateTime DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY slice
ORDER BY (tenant, meter, window_kind, window_start)
TTL taken + INTERVAL 1 DAY
COMMENT 'Scratch: counters of one moment while they are compared with usage'
