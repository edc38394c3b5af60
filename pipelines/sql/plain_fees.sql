-- The fee where one plan is in force for the whole period: all of it. Tables: plain, fees.
SELECT
    subscription,
    currency,
    'base_fee' AS kind,
    NULL::VARCHAR AS meter,
    NULL::VARCHAR AS value,
    plan,
    period_start_ms,
    period_end_ms,
    NULL::BIGINT AS quantity_micro,
    NULL::BIGINT AS unit_price_pico,
    fee_minor,
    fee_minor AS amount_minor
FROM plain
JOIN fees USING (catalog_version, plan, currency)
