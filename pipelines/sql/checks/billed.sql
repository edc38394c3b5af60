-- What the lines of invoices that are not void bill, by tenant and meter.
-- Tables: heads, invoice_lines; clamped.sql has the macro.
SELECT heads.tenant, invoice_lines.meter, clamped(sum(invoice_lines.quantity_micro)) AS quantity_micro
FROM invoice_lines
JOIN heads ON heads.id = invoice_lines.invoice
WHERE invoice_lines.kind IN ('included', 'overage', 'not_billed')
    AND invoice_lines.quantity_micro IS NOT NULL
    AND invoice_lines.meter IS NOT NULL
    AND heads.state <> 'void'
GROUP BY heads.tenant, invoice_lines.meter
ORDER BY heads.tenant, invoice_lines.meter
