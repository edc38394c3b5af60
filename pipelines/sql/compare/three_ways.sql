-- How many tenants and meters there are figures of, and the tenants of whom any two figures differ.
-- Tables: now, billed, unpriced (TOTAL_COLUMNS), counters (COUNTER_COLUMNS); clamped.sql has the macro.
-- Parameter: start_ms, when the month's window begins; a counter of other windows is looked at closely.
WITH
counted AS (
    SELECT
        tenant,
        meter,
        bool_or(counter_micro <> warehouse_micro OR beyond_window_micro <> 0) AS differs,
        any_value(warehouse_micro) FILTER (
            WHERE window_kind = 'billing_period' AND window_start_ms = $start_ms
        ) AS quantity_micro
    FROM counters
    WHERE window_kind IN ('billing_period', 'day')
    GROUP BY tenant, meter
),
accounted AS (
    SELECT tenant, meter, sum(quantity_micro) AS quantity_micro
    FROM (
        SELECT tenant, meter, clamped(sum(quantity_micro)) AS quantity_micro
        FROM billed
        GROUP BY tenant, meter
        UNION ALL
        FROM unpriced
    )
    GROUP BY tenant, meter
),
figures AS (
    SELECT
        tenant,
        coalesce(now.quantity_micro, 0) AS now_micro,
        coalesce(accounted.quantity_micro, 0) AS billed_micro,
        coalesce(counted.differs, false) AS counter_differs,
        -- Without a counter there is nothing in flight.
        CASE WHEN counted.differs IS NULL THEN now_micro ELSE counted.quantity_micro END
            AS counted_micro
    FROM now
    FULL JOIN accounted USING (tenant, meter)
    FULL JOIN counted USING (tenant, meter)
)
SELECT
    count(*) AS compared,
    coalesce(
        list(DISTINCT tenant) FILTER (
            WHERE counter_differs
                OR now_micro <> billed_micro
                OR now_micro IS DISTINCT FROM counted_micro
        ),
        []
    ) AS tenants
FROM figures
