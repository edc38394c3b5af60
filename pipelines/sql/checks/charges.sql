-- Subscriptions whose lines may not match their usage, or not cost what their figures say: all that
-- do not are among them, and those that the statement does not judge. pipelines.checks.checks says of each
-- what is wrong, if anything is. It starts from each meter's total, so it does not repeat how the
-- lines were made.
-- Tables: usage, lines, parts (from parts.sql), every (segments), plans, price_lists, priced, cards,
-- prices, matrix_prices, divisors; cost.sql and rounded.sql have the macros.
WITH
on_lists AS (
    SELECT parts.*, price_lists.kind
    FROM parts
    LEFT JOIN price_lists USING (catalog_version)
),
not_judged AS (
    SELECT every.subscription
    FROM every
    LEFT JOIN plans USING (catalog_version, plan)
    WHERE NOT coalesce(plans.is_usual, false) AND every.subscription IN (SELECT subscription FROM parts)
    UNION ALL
    SELECT subscription FROM on_lists GROUP BY subscription HAVING min(kind) <> max(kind)
),
used AS (
    SELECT on_lists.subscription, usage.meter, sum(usage.quantity_micro) AS used_micro
    FROM usage
    JOIN on_lists USING (tenant, segment)
    JOIN priced USING (kind, meter)
    GROUP BY on_lists.subscription, usage.meter
),
billed AS (
    SELECT
        subscription,
        meter,
        sum(quantity_micro) AS billed_micro,
        sum(CASE WHEN kind = 'included' THEN 0 ELSE quantity_micro END) AS over_micro
    FROM lines
    WHERE kind IN ('included', 'overage', 'not_billed')
    GROUP BY subscription, meter
),
metered AS (
    SELECT
        subscription,
        meter,
        coalesce(used_micro, 0) AS used_micro,
        coalesce(billed_micro, 0) AS billed_micro,
        coalesce(over_micro, 0) AS over_micro
    FROM used
    FULL JOIN billed USING (subscription, meter)
),
pooled AS (
    SELECT
        metered.subscription,
        metered.meter,
        sum(cards.included_micro::HUGEINT * (parts.end_ms - parts.start_ms) // parts.whole_ms)
            AS pool_micro,
        bool_or(cards.included_micro IS NULL) AS is_unlimited
    FROM metered
    JOIN parts USING (subscription)
    LEFT JOIN cards USING (catalog_version, plan, meter)
    GROUP BY metered.subscription, metered.meter
),
other_quantities AS (
    SELECT metered.subscription
    FROM metered
    LEFT JOIN pooled USING (subscription, meter)
    WHERE billed_micro <> used_micro
        OR over_micro IS DISTINCT FROM
            CASE WHEN is_unlimited THEN 0 ELSE greatest(used_micro - pool_micro, 0) END
),
reached AS (
    SELECT
        *,
        sum(quantity_micro) OVER (
            PARTITION BY subscription, meter ORDER BY place ROWS UNBOUNDED PRECEDING
        ) AS after_micro
    FROM lines
    WHERE kind IN ('overage', 'not_billed') AND fee_minor IS NULL
),
costed AS (
    SELECT
        reached.subscription,
        reached.amount_minor,
        parts.subscription IS NULL OR after_micro < 0 OR after_micro < quantity_micro AS is_odd,
        CASE
            WHEN prices.model = 'matrix' THEN reached.quantity_micro::HUGEINT
                * coalesce(matrix_prices.unit_price_pico, prices.unit_price_pico)
            ELSE cost(prices, greatest(after_micro, 0)::HUGEINT)
                - cost(prices, greatest(after_micro - quantity_micro, 0)::HUGEINT)
        END AS amount_atto,
        divisors.divisor
    FROM reached
    LEFT JOIN parts
        ON parts.subscription = reached.subscription
        AND parts.start_ms = reached.period_start_ms
        AND parts.end_ms = reached.period_end_ms
    LEFT JOIN divisors ON divisors.currency = parts.currency
    LEFT JOIN prices
        ON prices.catalog_version = parts.catalog_version
        AND prices.plan = parts.plan
        AND prices.meter = reached.meter
        AND prices.currency = parts.currency
    LEFT JOIN matrix_prices
        ON matrix_prices.catalog_version = parts.catalog_version
        AND matrix_prices.plan = parts.plan
        AND matrix_prices.meter = reached.meter
        AND matrix_prices.currency = parts.currency
        AND matrix_prices.value = reached.value
    WHERE reached.kind = 'overage'
),
other_amounts AS (
    SELECT subscription
    FROM costed
    WHERE is_odd
        OR amount_minor <> coalesce(rounded(amount_atto, divisor), 0)
    UNION ALL
    SELECT subscription
    FROM lines
    WHERE fee_minor IS NULL AND kind <> 'overage' AND amount_minor <> 0
),
wholes AS (
    SELECT subscription, any_value(whole_ms) AS whole_ms FROM parts GROUP BY subscription
),
other_fees AS (
    SELECT lines.subscription
    FROM lines
    LEFT JOIN wholes USING (subscription)
    WHERE fee_minor IS NOT NULL
        AND (
            fee_minor < 0
            OR CASE WHEN kind = 'proration_credit' THEN -amount_minor ELSE amount_minor END
                IS DISTINCT FROM (
                    2 * fee_minor::HUGEINT * (period_end_ms - period_start_ms) + whole_ms
                ) // (2 * whole_ms)
        )
)
SELECT DISTINCT subscription
FROM (
    FROM not_judged
    UNION ALL FROM other_quantities
    UNION ALL FROM other_amounts
    UNION ALL FROM other_fees
)
ORDER BY subscription
