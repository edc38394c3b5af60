-- Usage lines where one plan is in force for the whole period: the pool is what the plan includes,
-- and nothing comes before. Tables: uses, plain, cards, prices, divisors; cost.sql has the macro.
WITH
split AS (
    SELECT
        plain.*,
        uses.meter,
        uses.quantity_micro,
        CASE
            WHEN uses.quantity_micro > cards.included_micro -- null: unlimited
                THEN uses.quantity_micro - cards.included_micro
            ELSE 0
        END AS overage_micro
    FROM uses
    JOIN plain ON plain.subscription = uses.tenant
    JOIN cards USING (catalog_version, plan, meter)
    WHERE uses.segment = 1
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
        CASE WHEN prices.model IS NULL THEN 'not_billed' ELSE 'overage' END AS kind,
        overage_micro AS line_micro,
        prices.unit_price_pico AS line_price_pico,
        -- Nothing beyond a pool is negative, so rounding half away from zero is half up.
        coalesce(
            (2 * cost(prices, overage_micro::HUGEINT) + divisors.divisor)
            // (2 * divisors.divisor),
            0
        )::BIGINT AS line_minor
    FROM split
    JOIN divisors USING (currency)
    LEFT JOIN prices USING (catalog_version, plan, meter, currency)
    WHERE overage_micro <> 0
)
SELECT
    subscription AS tenant,
    subscription,
    currency,
    2 * meter::INTEGER + kind_order AS ordinal,
    kind,
    meter,
    NULL::VARCHAR AS value,
    plan,
    period_start_ms,
    period_end_ms,
    line_micro AS quantity_micro,
    line_price_pico AS unit_price_pico,
    NULL::BIGINT AS fee_minor,
    line_minor AS amount_minor
FROM lines
