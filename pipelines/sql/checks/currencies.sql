-- What the ledger's lines and the invoices of the close come to, by currency. What was made void or
-- made after the close changes nothing about what the close made.
-- Tables: lines, found (from found.sql).
SELECT
    currency,
    coalesce(sum(of_lines), 0) AS of_lines,
    coalesce(sum(of_invoices), 0) AS of_invoices
FROM (
    SELECT currency, amount_minor AS of_lines, NULL AS of_invoices FROM lines
    UNION ALL
    SELECT currency, NULL, total_minor FROM found WHERE NOT is_later
)
GROUP BY currency
