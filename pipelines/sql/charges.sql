-- Usage lines of all subscriptions, in exact integers; pipelines.rating is the specification.
-- Tables: usage, parts (from parts.sql), cards, prices, matrix_prices, divisors; cost.sql has the
-- macro.
WITH
pools AS (
    -- One pool for a subscription and meter; a plan without limit makes the whole unlimited. Every
    -- meter that a price list prices has a card for every plan: (included 0) where the plan has none.
    SELECT
        parts.subscription,
        cards.meter,
        sum(cards.included_micro::HUGEINT * (parts.end_ms - parts.start_ms) // parts.whole_ms)
            AS pool_micro,
        bool_or(cards.included_micro IS NULL) AS is_unlimited
    FROM parts
    JOIN cards USING (catalog_version, plan)
    GROUP BY parts.subscription, cards.meter
),
matrix_cards AS (
    SELECT DISTINCT catalog_version, plan, meter
    FROM matrix_prices
),
used AS (
    -- Values are told apart in parts whose price is a matrix, and nowhere else.
    SELECT
        parts.subscription,
        usage.meter,
        parts.segment,
        CASE WHEN matrix_cards.meter IS NOT NULL THEN usage.value END AS value,
        sum(usage.quantity_micro)::HUGEINT AS quantity_micro
    FROM usage
    JOIN parts USING (tenant, segment)
    LEFT JOIN matrix_cards
        ON matrix_cards.catalog_version = parts.catalog_version
        AND matrix_cards.plan = parts.plan
        AND matrix_cards.meter = usage.meter
    GROUP BY ALL
),
cumulated AS (
    SELECT
        used.subscription,
        used.meter,
        used.segment,
        used.value,
        used.quantity_micro,
        pools.pool_micro,
        pools.is_unlimited,
        sum(used.quantity_micro) OVER (
            PARTITION BY used.subscription, used.meter ORDER BY used.segment, used.value
        ) AS cumulative_micro
    FROM used
    JOIN pools USING (subscription, meter)
),
split AS (
    SELECT
        subscription,
        meter,
        segment,
        value,
        quantity_micro,
        CASE
            WHEN is_unlimited THEN 0::HUGEINT
            ELSE greatest(0, cumulative_micro - quantity_micro - pool_micro)
        END AS before_micro,
        CASE
            WHEN is_unlimited THEN 0::HUGEINT
            ELSE greatest(0, cumulative_micro - pool_micro)
        END AS after_micro
    FROM cumulated
),
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
        quantity_micro - overage_micro AS line_micro,
        NULL::BIGINT AS line_price_pico,
        0::HUGEINT AS amount_minor
    FROM priced
    UNION ALL
    SELECT
        *,
        1 AS kind_order,
        CASE WHEN model IS NULL THEN 'not_billed' ELSE 'overage' END AS kind,
        overage_micro AS line_micro,
        unit_price_pico AS line_price_pico,
        -- Rounded once, half away from zero: a credit is the charge of its size, negated.
        coalesce(
            sign(amount_atto)::HUGEINT * ((2 * abs(amount_atto) + divisor) // (2 * divisor)),
            0
        ) AS amount_minor
    FROM priced
)
SELECT
    tenant,
    subscription,
    currency,
    (row_number() OVER (
        PARTITION BY subscription ORDER BY meter, segment, value, kind_order
    ) - 1)::INTEGER AS ordinal,
    kind,
    meter,
    value,
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
