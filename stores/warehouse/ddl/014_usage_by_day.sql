-- What usage_daily says, kept: a tenant's month in milliseconds, whatever its number of events. A
-- month is filled as a whole (stores/warehouse/by_day.py) and is as of `filled`.
CREATE TABLE IF NOT EXISTS usage_by_day
(
    day      Date,
    tenant   String,
    meter    LowCardinality(String),
    model    LowCardinality(String),
    quantity Decimal(38, 6),
    events   UInt64,
    filled   DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant, day, meter, model)
COMMENT 'Usage by day as it was when its month was last filled; usage_daily is exact at any time'
