-- Counters that were made anew from usage: those of a partition and meter, of one tenant or ('')
-- all of them. `position` is the cut through the log that they were made as of.
CREATE TABLE IF NOT EXISTS rebuilds
(
    partition    UInt16,
    meter        LowCardinality(String),
    tenant       String,
    position     UInt64,
    state_offset UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (partition, meter, tenant, state_offset)
COMMENT 'From which position on late repeats are in a counter; read it with FINAL'
