-- How far each partition's counters have read usage.events; only positions whose rows are all in.
CREATE TABLE IF NOT EXISTS counter_positions
(
    partition       UInt16,
    epoch           UInt16,
    position        UInt64,
    entitlements    UInt64,
    catalog_version UInt32,
    state_offset    UInt64
)
ENGINE = ReplacingMergeTree(state_offset)
ORDER BY partition
COMMENT 'Position of the newest complete transaction of quota.state, by partition'
