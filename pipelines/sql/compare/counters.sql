-- The counter of each tenant and meter for its billing period that ends in the month, or what its
-- days add up to; pipelines.checks.reconciliation.of_month is the specification.
-- Tables: counters, every (segments), periods, period.
CREATE TABLE month_counters AS
WITH
anchored AS (
    SELECT
        tenant,
        arg_max(periods.start_ms, subscription) AS start_ms,
        arg_max(periods.end_ms, subscription) AS end_ms
    FROM every
    JOIN periods USING (anchor_day)
    WHERE anchor_day <> 1
    GROUP BY tenant
),
own AS (
    SELECT
        counters.*,
        coalesce(anchored.start_ms, period.start_ms) AS start_ms,
        coalesce(anchored.end_ms, period.end_ms) AS end_ms
    FROM counters
    CROSS JOIN period
    LEFT JOIN anchored USING (tenant)
),
whole AS (
    SELECT tenant, meter, counter_micro, warehouse_micro, beyond_window_micro
    FROM own
    WHERE window_kind = 'billing_period' AND window_start_ms = start_ms
),
days AS (
    SELECT
        tenant,
        meter,
        clamped(sum(counter_micro)) AS counter_micro,
        clamped(sum(warehouse_micro)) AS warehouse_micro,
        clamped(sum(beyond_window_micro)) AS beyond_window_micro
    FROM own
    WHERE window_kind = 'day' AND window_start_ms >= start_ms AND window_start_ms < end_ms
    GROUP BY tenant, meter
)
SELECT tenant, meter, counter_micro, warehouse_micro AS stored_micro, beyond_window_micro AS beyond_micro
FROM (
    FROM whole
    UNION ALL
    FROM days ANTI JOIN whole USING (tenant, meter)
)
