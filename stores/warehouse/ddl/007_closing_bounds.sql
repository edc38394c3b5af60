-- Instants at which tenants' segments change, uploaded for one reading of a month. A slice is one
-- such reading; it is dropped afterwards, and a killed one's after a day.
CREATE TABLE IF NOT EXISTS closing_bounds
(
    slice    String,
    tenant   String,
    bounds   Array(DateTime64(3, 'UTC')),
    uploaded DateTime DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY slice
ORDER BY tenant
TTL uploaded + INTERVAL 1 DAY
COMMENT 'Scratch: segment bounds by tenant while a month is read'
