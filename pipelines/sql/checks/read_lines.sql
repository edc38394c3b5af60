-- The lines of all invoices, each by the place of its invoice among the heads, with a mark of all
-- that it says: lines with the same marks are the same. Tables: heads, invoice_lines.
CREATE TABLE read_lines AS
SELECT
    heads.place,
    invoice_lines.kind = 'credited' AS is_credited,
    invoice_lines.amount_minor,
    invoice_lines.meter,
    CASE
        WHEN invoice_lines.kind IN ('included', 'overage', 'not_billed')
            AND heads.state <> 'void'
            THEN invoice_lines.quantity_micro
    END AS quantity_micro,
    mark(invoice_lines) AS mark
FROM invoice_lines
JOIN heads ON heads.id = invoice_lines.invoice
