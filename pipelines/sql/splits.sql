-- Each use of a meter and how far it goes beyond the pool: one pool for a subscription and period, to
-- which every plan brings its share by the second. Tables: usage, parts, cards, matrix_prices;
-- clamped.sql has the macro.
CREATE VIEW splits AS
WITH
pools AS (
    -- One pool for a subscription and meter; a plan without limit makes the whole unlimited. Every
    -- meter that any price list prices has a card for every plan: (included 0) where the plan has
    -- none. It makes lines where one of the subscription's own price lists prices it.
    SELECT
        parts.subscription,
        cards.meter,
        sum(cards.included_micro::HUGEINT * (parts.end_ms - parts.start_ms) // parts.whole_ms)
            AS pool_micro,
        bool_or(cards.included_micro IS NULL) AS is_unlimited
    FROM parts
    JOIN cards USING (catalog_version, plan)
    GROUP BY parts.subscription, cards.meter
    HAVING bool_or(cards.is_priced)
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
        clamped(sum(usage.quantity_micro))::HUGEINT AS quantity_micro
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
            -- What was used comes before what is given back.
            PARTITION BY used.subscription, used.meter
            ORDER BY used.segment, used.quantity_micro < 0, used.value
        ) AS cumulative_micro
    FROM used
    JOIN pools USING (subscription, meter)
)
SELECT
    subscription,
    meter,
    segment,
    value,
    quantity_micro,
    CASE
        WHEN is_unlimited THEN 0::HUGEINT
        ELSE greatest(0, clamped(cumulative_micro - quantity_micro - pool_micro))::HUGEINT
    END AS before_micro,
    CASE
        WHEN is_unlimited THEN 0::HUGEINT
        ELSE greatest(0, clamped(cumulative_micro - pool_micro))::HUGEINT
    END AS after_micro
FROM cumulated
