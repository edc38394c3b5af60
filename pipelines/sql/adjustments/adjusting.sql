-- The adjusting lines, in order.
SELECT
    cases.tenant,
    cases.subscription,
    cases.currency,
    (row_number() OVER (
        PARTITION BY lines.case_id ORDER BY lines.step, lines.place
    ) - 1)::INTEGER AS ordinal,
    lines.kind,
    lines.meter,
    NULL::VARCHAR AS value,
    lines.plan,
    lines.period_start_ms,
    lines.period_end_ms,
    lines.quantity_micro,
    NULL::BIGINT AS unit_price_pico,
    lines.fee_minor,
    lines.amount_minor::BIGINT AS amount_minor,
    lines.told_product AS product,
    lines.name,
    lines.rate_ppm,
    lines.base_minor::BIGINT AS base_minor,
    lines.tax_minor::BIGINT AS tax_minor
FROM lines
JOIN cases USING (case_id)
WHERE lines.step > 0
ORDER BY lines.case_id, ordinal
