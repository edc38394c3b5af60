-- The parts of all subscriptions within their billing periods; pipelines.segments.segments is the specification.
-- Table: segments.
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
        greatest(segments.starts_ms, segments.period_start_ms) AS start_ms,
        least(coalesce(segments.ends_ms, segments.period_end_ms), segments.period_end_ms) AS end_ms,
        segments.period_end_ms - segments.period_start_ms AS whole_ms
    FROM segments -- without those that are paused
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
    whole_ms,
    (sum(bounds_before) OVER (PARTITION BY subscription ORDER BY start_ms))::INTEGER AS segment
FROM stepped
