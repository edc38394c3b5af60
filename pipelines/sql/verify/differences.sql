-- 4. The lines beside those of the invoices. What corrects an earlier month follows from that month,
-- and from nothing in this folder: it is taken as it is, into totals and what credits pay.
CREATE SCHEMA verified;
USE verified;
CREATE TABLE recomputed AS
SELECT
    subscription,
    row_number() OVER (PARTITION BY subscription ORDER BY step, ordinal) AS place,
    tenant, currency, kind, meter, value, plan, period_start_ms, period_end_ms, quantity_micro,
    unit_price_pico, fee_minor, amount_minor, product, name, rate_ppm, base_minor, tax_minor
FROM (
    SELECT 1 AS step, place AS ordinal, * EXCLUDE (place, ordinal) FROM of_adjustments.rated
    UNION ALL BY NAME
    SELECT 2 AS step, * FROM of_adjustments.adjusted
);
CREATE TABLE billed AS
SELECT
    subscription,
    row_number() OVER (PARTITION BY subscription ORDER BY line) AS place,
    tenant, currency, kind, meter, value, plan, period_start_ms, period_end_ms, quantity_micro,
    unit_price_pico, fee_minor, amount_minor, product, name, rate_ppm, base_minor, tax_minor
FROM 'lines.parquet'
WHERE kind NOT IN ('correction', 'correction_tax', 'credited');
CREATE TABLE numbers AS
SELECT
    subscription,
    row_number() OVER (PARTITION BY subscription ORDER BY line) AS place,
    invoice,
    line
FROM 'lines.parquet'
WHERE kind NOT IN ('correction', 'correction_tax', 'credited');

CREATE TABLE differences AS
SELECT
    'line' AS what,
    coalesce(billed.tenant, recomputed.tenant) AS tenant,
    numbers.invoice,
    numbers.line,
    coalesce(billed.kind, recomputed.kind) AS kind,
    coalesce(billed.meter, recomputed.meter) AS meter,
    billed.quantity_micro AS billed_micro,
    recomputed.quantity_micro AS recomputed_micro,
    billed.amount_minor AS billed_minor,
    recomputed.amount_minor AS recomputed_minor
FROM billed
FULL JOIN recomputed USING (subscription, place)
LEFT JOIN numbers USING (subscription, place)
WHERE billed IS DISTINCT FROM recomputed
UNION ALL BY NAME
-- An invoice's total is that of its lines, and its document says the same.
SELECT
    'total' AS what,
    invoices.tenant,
    invoice,
    invoices.total_minor AS billed_minor,
    coalesce(sums.total_minor, 0) AS recomputed_minor
FROM 'invoices.parquet' AS invoices
LEFT JOIN (
    SELECT invoice, sum(amount_minor)::BIGINT AS total_minor
    FROM 'lines.parquet'
    GROUP BY invoice
) AS sums USING (invoice)
WHERE invoices.total_minor IS DISTINCT FROM coalesce(sums.total_minor, 0)
    OR (invoices.document ->> '$.total_minor')::BIGINT IS DISTINCT FROM invoices.total_minor
UNION ALL BY NAME
SELECT 'invoice' AS what, tenant, invoice
FROM 'lines.parquet'
ANTI JOIN 'invoices.parquet' USING (invoice)
UNION ALL BY NAME
SELECT 'document' AS what, tenant, invoice
FROM 'invoices.parquet'
WHERE sha256(document) <> document_hash;

SELECT
    (SELECT count(*) FROM 'invoices.parquet') AS invoices,
    (SELECT count(*) FROM billed) AS lines,
    (SELECT count(*) FROM recomputed) AS recomputed,
    (SELECT count(*) FROM differences) AS differences;

SELECT *
FROM differences
ORDER BY ALL;
