-- The stream's counters, landed from quota.state: the newest row of each, and the offset in
-- usage.events (exclusive, in epoch's topic) that it stands for. One whose window's time is over
-- stays as it was; one that `ended` before was taken back: its window is none of the tenant's.
CREATE TABLE IF NOT EXISTS counters
(
    tenant              String,
    meter               LowCardinality(String),
    window_kind         LowCardinality(String),
    window_start        DateTime64(3, 'UTC'),
    window_end          DateTime64(3, 'UTC'),
    used                Decimal(38, 6),
    limit               Nullable(Decimal(38, 6)),
    decision            LowCardinality(String),
    entitlement_version UInt64,
    epoch               UInt16,
    position            UInt64,
    partition           UInt16,
    state_offset        UInt64,
    ended               Bool
)
ENGINE = ReplacingMergeTree(state_offset)
ORDER BY (tenant, meter, window_kind, window_start)
COMMENT 'Counters as the stream last wrote them; read it with FINAL'
