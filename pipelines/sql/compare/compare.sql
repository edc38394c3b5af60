-- The figures of every tenant and meter side by side, and whether anything holds the tenant back;
-- pipelines.checks.reconciliation.compare is the specification.
-- Sums are of 128 bits.
-- Tables: month_counters, warehouse, billed, unpriced, invoiced, billable; $with_counters.
WITH
on_invoices AS (
    SELECT tenant, meter, sum(quantity_micro) AS micro
    FROM billed
    GROUP BY tenant, meter
),
expected AS (SELECT invoiced.tenant, billable.meter FROM invoiced CROSS JOIN billable),
summed AS (
    SELECT
        tenant,
        meter,
        coalesce(warehouse.quantity_micro, 0)::HUGEINT AS warehouse_micro,
        clamped(coalesce(on_invoices.micro, 0))::HUGEINT AS billed_micro,
        coalesce(unpriced.quantity_micro, 0)::HUGEINT AS unpriced_micro,
        month_counters.counter_micro::HUGEINT AS counter_micro,
        month_counters.stored_micro::HUGEINT AS stored_micro,
        month_counters.beyond_micro::HUGEINT AS beyond_micro
    FROM warehouse
    FULL JOIN expected USING (tenant, meter)
    FULL JOIN month_counters USING (tenant, meter)
    FULL JOIN on_invoices USING (tenant, meter)
    FULL JOIN unpriced USING (tenant, meter)
),
countered AS (
    -- Where a counter is expected and there is none, it is one of nothing.
    SELECT
        summed.* REPLACE (
            CASE WHEN is_expected THEN coalesce(counter_micro, 0) ELSE counter_micro END
                AS counter_micro,
            CASE WHEN is_expected THEN coalesce(stored_micro, warehouse_micro) ELSE stored_micro END
                AS stored_micro
        )
    FROM (
        SELECT
            summed.*,
            $with_counters AND coalesce(billable.is_counted, false) AS is_expected
        FROM summed
        LEFT JOIN billable USING (meter)
    ) AS summed
)
SELECT
    tenant,
    meter,
    -- Brought back to the closing's cut: a counter may have read usage that came after it.
    clamped(counter_micro - (stored_micro - warehouse_micro)) AS counter_micro,
    warehouse_micro::BIGINT AS warehouse_micro,
    coalesce(beyond_micro, 0)::BIGINT AS beyond_window_micro,
    billed_micro::BIGINT AS billed_micro,
    unpriced_micro::BIGINT AS unpriced_micro,
    counter_micro::BIGINT AS read_micro,
    stored_micro::BIGINT AS stored_micro,
    coalesce(counter_micro <> stored_micro + coalesce(beyond_micro, 0), false)
    OR warehouse_micro <> billed_micro + unpriced_micro
    OR greatest(abs(warehouse_micro), abs(billed_micro)) = 9223372036854775807 -- or more
    OR billed_micro < 0 AS is_held
FROM countered
ORDER BY tenant, meter
