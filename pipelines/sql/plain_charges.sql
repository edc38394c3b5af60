-- Usage lines where one plan is in force for the whole period: the pool is what the plan includes,
-- and nothing comes before. Tables: usage, plain, rates, pieces; piece_cost.sql has the macro.
WITH
split AS MATERIALIZED (
    SELECT
        plain.subscription,
        plain.period_start_ms,
        plain.period_end_ms,
        usage.meter,
        usage.quantity_micro,
        rates.rate,
        rates.plan,
        rates.currency,
        rates.is_billed,
        rates.unit_price_pico,
        CASE
            WHEN usage.quantity_micro > rates.included_micro -- null: unlimited
                THEN usage.quantity_micro - rates.included_micro
            ELSE 0
        END AS overage_micro
    FROM usage
    JOIN plain ON plain.subscription = usage.tenant
    JOIN rates ON rates.rate = plain.first_rate + usage.meter
    WHERE usage.segment = 1
),
lines AS (
    SELECT
        split.*,
        0 AS kind_order,
        'included' AS kind,
        quantity_micro - overage_micro AS line_micro,
        NULL::BIGINT AS line_price_pico,
        0::BIGINT AS line_minor
    FROM split
    WHERE quantity_micro <> overage_micro
    UNION ALL
    SELECT
        split.*,
        1 AS kind_order,
        CASE WHEN is_billed THEN 'overage' ELSE 'not_billed' END AS kind,
        overage_micro AS line_micro,
        unit_price_pico AS line_price_pico,
        minor_of(pieces, overage_micro) AS line_minor
    FROM split
    JOIN pieces
        ON pieces.rate = split.rate
        AND split.overage_micro > pieces.lower_micro
        AND split.overage_micro <= pieces.upper_micro
)
SELECT
    subscription,
    currency,
    kind,
    meter,
    NULL::VARCHAR AS value,
    plan,
    period_start_ms,
    period_end_ms,
    line_micro AS quantity_micro,
    line_price_pico AS unit_price_pico,
    NULL::BIGINT AS fee_minor,
    line_minor AS amount_minor,
    1 AS segment,
    false AS is_given_back,
    NULL::VARCHAR AS of_value,
    kind_order
FROM lines
