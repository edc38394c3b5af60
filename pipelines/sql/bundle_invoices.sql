-- Invoices as a bundle tells of them, in their order.
-- Tables: heads (with their place), invoice_lines, documents. Parameter: outside, the kinds of lines
-- that are not in a subtotal.
WITH
summed AS (
    SELECT
        invoice,
        sum(amount_minor) FILTER (WHERE NOT list_contains($outside, kind)) AS subtotal_minor,
        sum(tax_minor) AS tax_minor,
        sum(amount_minor) FILTER (WHERE kind = 'credit_applied') AS applied_minor
    FROM invoice_lines
    GROUP BY invoice
)
SELECT
    heads.id AS invoice,
    heads.number,
    heads.tenant,
    heads.subscription,
    heads.currency,
    heads.state <> 'draft' AS is_final,
    heads.state = 'void' AS is_void,
    heads.held,
    coalesce(summed.subtotal_minor, 0)::BIGINT AS subtotal_minor,
    coalesce(summed.tax_minor, 0)::BIGINT AS tax_minor,
    coalesce(-summed.applied_minor, 0)::BIGINT AS credits_minor,
    heads.total_minor,
    heads.document_hash,
    decode(documents.document) AS document
FROM heads
LEFT JOIN summed ON summed.invoice = heads.id
LEFT JOIN documents ON documents.invoice = heads.id
ORDER BY heads.place
