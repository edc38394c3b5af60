-- The parts of all subscriptions within the period; pipelines.segments is the specification.
-- Tables: segments, period.
CREATE TABLE parts AS
WITH
cut AS (
    SELECT
        segments.tenant,
        segments.subscription,
        segments.currency,
        segments.plan,
        segments.catalog_version,
        segments.is_trial,
        greatest(segments.starts_ms, period.start_ms) AS start_ms,
        least(coalesce(segments.ends_ms, period.end_ms), period.end_ms) AS end_ms
    FROM segments -- without those that are paused
    CROSS JOIN period
),
stepped AS (
    -- Two bounds lie before a part that follows a gap: the gap's beginning and its end.
    SELECT
        *,
        CASE
            WHEN lag(end_ms) OVER in_time IS NULL OR lag(end_ms) OVER in_time = start_ms THEN 1
            ELSE 2
        END AS bounds_before
    FROM cut
    WHERE start_ms < end_ms
    WINDOW in_time AS (PARTITION BY subscription ORDER BY start_ms)
)
SELECT
    tenant,
    subscription,
    currency,
    plan,
    catalog_version,
    is_trial,
    start_ms,
    end_ms,
    (sum(bounds_before) OVER (PARTITION BY subscription ORDER BY start_ms))::INTEGER AS segment
FROM stepped
