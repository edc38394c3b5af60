-- Usage lines of all subscriptions, for a bundle; pipelines.rating.rating is the specification, and what
-- the close computes by number is in part_charges.sql and plain_charges.sql.
-- Tables: splits, parts (from parts.sql), prices, matrix_prices, divisors; cost.sql and
-- rounded.sql have the macros.
WITH
split AS (SELECT * FROM splits), -- from splits.sql, or by policies from splits_by_policy.sql
priced AS (
    SELECT
        parts.tenant,
        parts.subscription,
        parts.currency,
        parts.plan,
        parts.segment,
        parts.start_ms,
        parts.end_ms,
        split.meter,
        split.value,
        split.quantity_micro,
        split.after_micro - split.before_micro AS overage_micro,
        prices.model,
        coalesce(matrix_prices.unit_price_pico, prices.unit_price_pico) AS unit_price_pico,
        CASE
            WHEN prices.model = 'matrix'
                THEN (split.after_micro - split.before_micro)
                    * coalesce(matrix_prices.unit_price_pico, prices.unit_price_pico)
            -- Tiers are those of the whole period: a part costs what it adds.
            ELSE cost(prices, split.after_micro) - cost(prices, split.before_micro)
        END AS amount_atto,
        divisors.divisor
    FROM split
    JOIN parts USING (subscription, segment)
    JOIN divisors USING (currency)
    LEFT JOIN prices
        ON prices.catalog_version = parts.catalog_version
        AND prices.plan = parts.plan
        AND prices.meter = split.meter
        AND prices.currency = parts.currency
        AND NOT parts.is_trial
    LEFT JOIN matrix_prices
        ON matrix_prices.catalog_version = parts.catalog_version
        AND matrix_prices.plan = parts.plan
        AND matrix_prices.meter = split.meter
        AND matrix_prices.currency = parts.currency
        AND matrix_prices.value = split.value
        AND NOT parts.is_trial
),
lines AS (
    SELECT
        *,
        0 AS kind_order,
        'included' AS kind,
        value AS line_value,
        quantity_micro - overage_micro AS line_micro,
        NULL::BIGINT AS line_price_pico,
        0::HUGEINT AS amount_minor
    FROM priced
    UNION ALL
    SELECT
        *,
        1 AS kind_order,
        CASE WHEN model IS NULL THEN 'not_billed' ELSE 'overage' END AS kind,
        CASE WHEN model IS NOT NULL THEN value END AS line_value,
        overage_micro AS line_micro,
        unit_price_pico AS line_price_pico,
        coalesce(rounded(amount_atto, divisor), 0) AS amount_minor
    FROM priced
)
SELECT
    tenant,
    subscription,
    currency,
    (row_number() OVER (
        PARTITION BY subscription
        ORDER BY meter, segment, quantity_micro < 0, value, kind_order
    ) - 1)::INTEGER AS ordinal,
    kind,
    meter,
    line_value AS value,
    plan,
    start_ms AS period_start_ms,
    end_ms AS period_end_ms,
    line_micro::BIGINT AS quantity_micro,
    line_price_pico AS unit_price_pico,
    NULL::BIGINT AS fee_minor,
    amount_minor::BIGINT AS amount_minor
FROM lines
WHERE line_micro <> 0
ORDER BY tenant, subscription, ordinal
