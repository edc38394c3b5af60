CREATE MACRO mark(line) AS hash(
    line.ordinal, line.kind, line.plan, line.meter, line.value, line.period_start_ms,
    line.period_end_ms, line.quantity_micro, line.unit_price_pico, line.fee_minor,
    line.amount_minor, line.product, line.name, line.rate_ppm, line.base_minor, line.tax_minor
)
