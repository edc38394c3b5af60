-- Usage lines of parts of periods, in exact integers; pipelines.rating.rating is the specification.
-- Tables: splits, parts (from parts.sql), rates, pieces, matrix_prices, divisors; piece_cost.sql and
-- rounded.sql have the macros.
WITH
used AS MATERIALIZED (
    SELECT
        split.subscription,
        split.meter,
        split.segment,
        split.value,
        split.quantity_micro,
        split.before_micro,
        split.after_micro,
        parts.start_ms,
        parts.end_ms,
        rates.rate,
        parts.plan,
        parts.currency,
        parts.catalog_version,
        rates.unit_price_pico,
        coalesce(rates.is_billed, false) AND NOT parts.is_trial AS is_billed
    FROM splits AS split
    JOIN parts USING (subscription, segment)
    LEFT JOIN rates -- null: only another of the price lists has a price for the meter
        ON rates.catalog_version = parts.catalog_version
        AND rates.plan = parts.plan
        AND rates.currency = parts.currency
        AND rates.meter = split.meter
),
priced AS (
    -- Tiers are those of the whole period: a part costs what it adds.
    SELECT
        used.*,
        coalesce(matrix_prices.unit_price_pico, used.unit_price_pico) AS line_price_pico,
        CASE
            WHEN NOT is_billed THEN 0::HUGEINT
            WHEN matrix_prices.unit_price_pico IS NOT NULL
                THEN (after_micro - before_micro) * matrix_prices.unit_price_pico
            ELSE coalesce(cost_of(reached, after_micro), 0::HUGEINT)
                - coalesce(cost_of(passed, before_micro), 0::HUGEINT)
        END AS amount,
        CASE
            WHEN matrix_prices.unit_price_pico IS NULL
                THEN coalesce(reached.divisor, passed.divisor, divisors.divisor)
            ELSE divisors.divisor
        END AS divisor
    FROM used
    JOIN divisors USING (currency)
    LEFT JOIN pieces AS reached
        ON reached.rate = used.rate
        AND used.after_micro > reached.lower_micro
        AND used.after_micro <= reached.upper_micro
    LEFT JOIN pieces AS passed
        ON passed.rate = used.rate
        AND used.before_micro > passed.lower_micro
        AND used.before_micro <= passed.upper_micro
    LEFT JOIN matrix_prices
        ON matrix_prices.catalog_version = used.catalog_version
        AND matrix_prices.plan = used.plan
        AND matrix_prices.meter = used.meter
        AND matrix_prices.currency = used.currency
        AND matrix_prices.value = used.value
    WHERE used.after_micro <> used.before_micro
),
lines AS (
    SELECT
        subscription,
        meter,
        segment,
        value,
        quantity_micro,
        start_ms,
        end_ms,
        plan,
        currency,
        0 AS kind_order,
        'included' AS kind,
        value AS line_value,
        quantity_micro - (after_micro - before_micro) AS line_micro,
        NULL::BIGINT AS line_price_pico,
        0::HUGEINT AS line_minor
    FROM used
    WHERE quantity_micro <> after_micro - before_micro
    UNION ALL
    SELECT
        subscription,
        meter,
        segment,
        value,
        quantity_micro,
        start_ms,
        end_ms,
        plan,
        currency,
        1 AS kind_order,
        CASE WHEN is_billed THEN 'overage' ELSE 'not_billed' END AS kind,
        CASE WHEN is_billed THEN value END AS line_value,
        after_micro - before_micro AS line_micro,
        CASE WHEN is_billed THEN line_price_pico END AS line_price_pico,
        rounded(amount, divisor) AS line_minor
    FROM priced
)
SELECT
    subscription::BIGINT * 65536 AS place, -- as in plain_charges.sql; within, in this order
    subscription,
    currency,
    kind,
    meter,
    line_value AS value,
    plan,
    start_ms AS period_start_ms,
    end_ms AS period_end_ms,
    line_micro::BIGINT AS quantity_micro,
    line_price_pico AS unit_price_pico,
    NULL::BIGINT AS fee_minor,
    line_minor::BIGINT AS amount_minor
FROM lines
ORDER BY subscription, meter, segment, lines.quantity_micro < 0, lines.value, kind_order
