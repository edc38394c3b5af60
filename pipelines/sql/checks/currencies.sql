-- Currencies whose lines and invoices come to different sums. What was made void or made after the
-- close changes nothing about what the close made. Tables: line_totals, found (from invoices.sql).
WITH
of_lines AS (
    SELECT currency, sum(amount_minor) AS amount_minor FROM line_totals GROUP BY currency
),
of_invoices AS (
    SELECT currency, sum(total_minor) AS amount_minor FROM found WHERE NOT is_later GROUP BY currency
)
SELECT
    currency,
    coalesce(of_invoices.amount_minor, 0)::BIGINT AS of_invoices,
    coalesce(of_lines.amount_minor, 0)::BIGINT AS of_lines
FROM of_lines
FULL JOIN of_invoices USING (currency)
WHERE coalesce(of_invoices.amount_minor, 0) <> coalesce(of_lines.amount_minor, 0)
ORDER BY currency
