-- Invoices as the ledger holds them; amounts in minor units of their currency.
CREATE OR REPLACE VIEW invoices AS
SELECT
    invoice,
    tenant,
    subscription,
    month,
    number,
    currency,
    total_minor,
    state,
    issued_at,
    due_at,
    if(state = 'draft', invoices_mirror.held, NULL) AS held,
    reversed_minor
FROM invoices_mirror FINAL
