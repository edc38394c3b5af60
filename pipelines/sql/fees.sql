-- Fee lines of subscriptions by the month, in arrears, by the second, in exact integers;
-- pipelines.rating.proration is the specification. Tables: parts (from parts.sql), fees.
WITH
neighbours AS (
    SELECT
        parts.*,
        CASE WHEN parts.is_trial THEN 0 ELSE fees.fee_minor END AS fee_minor,
        lag(parts.plan) OVER in_time AS old_plan,
        lag(CASE WHEN parts.is_trial THEN 0 ELSE fees.fee_minor END) OVER in_time AS old_fee_minor,
        lag(parts.end_ms) OVER in_time IS NOT DISTINCT FROM parts.start_ms
            AND lag(parts.is_trial) OVER in_time IS NOT DISTINCT FROM parts.is_trial AS is_change
    FROM parts
    JOIN fees USING (catalog_version, plan, currency)
    WINDOW in_time AS (PARTITION BY parts.subscription ORDER BY parts.start_ms)
),
numbered AS (
    SELECT
        *,
        count(*) FILTER (NOT is_change) OVER (
            PARTITION BY subscription ORDER BY start_ms
        ) AS run
    FROM neighbours
),
runs AS (
    -- Each fee, credit and charge goes to the end of its unbroken run of parts.
    SELECT *, max(end_ms) OVER (PARTITION BY subscription, run) AS run_end_ms
    FROM numbered
),
lines AS (
    SELECT
        *,
        1 AS kind_order,
        CASE WHEN is_change THEN 'proration_charge' ELSE 'base_fee' END AS kind,
        plan AS line_plan,
        fee_minor AS line_fee_minor,
        1 AS direction
    FROM runs
    UNION ALL
    SELECT
        *,
        0 AS kind_order,
        'proration_credit' AS kind,
        old_plan AS line_plan,
        old_fee_minor AS line_fee_minor,
        -1 AS direction
    FROM runs
    WHERE is_change
)
SELECT
    tenant,
    subscription,
    currency,
    (row_number() OVER (
        PARTITION BY subscription ORDER BY lines.start_ms, kind_order
    ) - 1)::INTEGER AS ordinal,
    kind,
    NULL::VARCHAR AS meter,
    NULL::VARCHAR AS value,
    line_plan AS plan,
    lines.start_ms AS period_start_ms,
    run_end_ms AS period_end_ms,
    NULL::BIGINT AS quantity_micro,
    NULL::BIGINT AS unit_price_pico,
    line_fee_minor AS fee_minor,
    -- A fee is never negative, so rounding half away from zero is half up, before the sign.
    (direction * (
        (2 * line_fee_minor::HUGEINT * (run_end_ms - lines.start_ms) + whole_ms)
        // (2 * whole_ms)
    ))::BIGINT AS amount_minor
FROM lines
ORDER BY tenant, subscription, ordinal
