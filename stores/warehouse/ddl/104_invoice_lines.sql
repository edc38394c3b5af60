-- Lines of invoices; quantities in units, unit prices in major units, amounts in minor units.
CREATE OR REPLACE VIEW invoice_lines AS
SELECT
    invoice,
    ordinal,
    tenant,
    month,
    kind,
    meter,
    plan,
    quantity,
    unit_price,
    amount_minor,
    currency,
    period_start,
    period_end,
    value,
    name,
    product,
    tax_minor
FROM invoice_lines_mirror FINAL
