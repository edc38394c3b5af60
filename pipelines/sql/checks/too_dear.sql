-- Whose usage of which meter costs the most that a line says, on invoices that are not void: it may be more.
-- Tables: heads, invoice_lines; $most_minor is schemas.money.MOST_MINOR.
SELECT DISTINCT heads.tenant, invoice_lines.meter
FROM invoice_lines
JOIN heads ON heads.id = invoice_lines.invoice
WHERE invoice_lines.kind = 'overage'
    AND abs(invoice_lines.amount_minor) >= $most_minor
    AND heads.state <> 'void'
