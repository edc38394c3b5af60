-- As splits.sql, by the policies of plans; pipelines.rating.pools is the specification.
-- Tables: usage, parts, cards, matrix_prices, policies.
CREATE VIEW splits AS
WITH
measured AS (
    SELECT
        parts.*,
        policies.is_full,
        CASE WHEN policies.is_per_segment THEN parts.segment ELSE 0 END AS pool,
        policies.proration,
        lag(parts.end_ms) OVER in_time IS NOT DISTINCT FROM parts.start_ms AS follows
    FROM parts
    JOIN policies USING (catalog_version, plan)
    WINDOW in_time AS (PARTITION BY parts.subscription ORDER BY parts.start_ms)
),
weighed AS (
    SELECT
        *,
        CASE
            WHEN proration = 'second' THEN end_ms - start_ms
            -- A day belongs to what it ends with.
            WHEN proration = 'day'
                THEN (end_ms // 86400000 - start_ms // 86400000) * 86400000
            -- Nothing is prorated: the first that begins a stretch brings the whole.
            WHEN NOT follows
                AND count(*) FILTER (proration = 'none' AND NOT follows) OVER (
                    PARTITION BY subscription ORDER BY start_ms
                ) = 1
                THEN whole_ms
            ELSE 0
        END AS weight_ms
    FROM measured
),
metered AS (
    SELECT DISTINCT parts.subscription, cards.meter
    FROM parts
    JOIN cards USING (catalog_version, plan)
    WHERE cards.is_priced
),
offered AS (
    SELECT
        weighed.*,
        metered.meter,
        CASE WHEN cards.meter IS NULL THEN 0 ELSE cards.included_micro END AS included_micro
    FROM weighed
    JOIN metered USING (subscription)
    LEFT JOIN cards
        ON cards.catalog_version = weighed.catalog_version
        AND cards.plan = weighed.plan
        AND cards.meter = metered.meter
),
compared AS (
    SELECT
        *,
        follows AND is_full
            AND coalesce(
                included_micro > lag(included_micro) OVER (
                    PARTITION BY subscription, meter ORDER BY start_ms
                ),
                false
            ) AS is_raised
    FROM offered
),
brought AS (
    SELECT
        subscription,
        meter,
        pool,
        included_micro IS NULL AS is_unlimited,
        CASE
            -- All of it, once for a plan and period.
            WHEN is_raised
                AND count(*) FILTER (is_raised) OVER (
                    PARTITION BY subscription, meter, catalog_version, plan ORDER BY start_ms
                ) = 1
                THEN included_micro::HUGEINT
            ELSE included_micro::HUGEINT * weight_ms // whole_ms
        END AS share_micro
    FROM compared
),
pools AS (
    SELECT
        subscription,
        meter,
        pool,
        sum(share_micro) AS pool_micro,
        bool_or(is_unlimited) AS is_unlimited
    FROM brought
    GROUP BY ALL
),
matrix_cards AS (
    SELECT DISTINCT catalog_version, plan, meter
    FROM matrix_prices
),
used AS (
    SELECT
        measured.subscription,
        usage.meter,
        measured.segment,
        measured.pool,
        CASE WHEN matrix_cards.meter IS NOT NULL THEN usage.value END AS value,
        clamped(sum(usage.quantity_micro))::HUGEINT AS quantity_micro
    FROM usage
    JOIN measured USING (tenant, segment)
    LEFT JOIN matrix_cards
        ON matrix_cards.catalog_version = measured.catalog_version
        AND matrix_cards.plan = measured.plan
        AND matrix_cards.meter = usage.meter
    GROUP BY ALL
),
cumulated AS (
    SELECT
        used.*,
        pools.pool_micro,
        pools.is_unlimited,
        sum(used.quantity_micro) OVER (
            PARTITION BY used.subscription, used.meter, used.pool
            ORDER BY used.segment, used.quantity_micro < 0, used.value
        ) AS cumulative_micro
    FROM used
    JOIN pools USING (subscription, meter, pool)
),
beyond AS (
    SELECT
        *,
        CASE
            WHEN is_unlimited THEN 0::HUGEINT
            ELSE greatest(0, cumulative_micro - pool_micro)
                - greatest(0, cumulative_micro - quantity_micro - pool_micro)
        END AS beyond_micro
    FROM cumulated
),
reached AS (
    -- Tiers go on through all that is beyond any pool of the period.
    SELECT
        *,
        sum(beyond_micro) OVER (
            PARTITION BY subscription, meter ORDER BY segment, quantity_micro < 0, value
        ) AS after_micro
    FROM beyond
)
SELECT
    subscription,
    meter,
    segment,
    value,
    quantity_micro,
    clamped(after_micro - beyond_micro)::HUGEINT AS before_micro,
    clamped(after_micro)::HUGEINT AS after_micro
FROM reached
