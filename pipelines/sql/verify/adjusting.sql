-- Fees by the year, in advance, by the day or whole: each is a share of what it is a fee for.
CREATE TABLE others AS
SELECT
    * EXCLUDE (whole_start_ms, whole_end_ms, proration),
    CASE
        WHEN proration = 'none' THEN fee_minor
        ELSE (
            2 * fee_minor::HUGEINT * CASE
                WHEN proration = 'day'
                    THEN period_end_ms // 86400000 * 86400000 - period_start_ms // 86400000 * 86400000
                ELSE period_end_ms - period_start_ms
            END + (whole_end_ms - whole_start_ms)
        ) // (2 * (whole_end_ms - whole_start_ms))
    END::BIGINT * CASE WHEN kind = 'proration_credit' THEN -1 ELSE 1 END AS amount_minor
FROM 'other_fees.parquet';

-- 3. What follows from fees and usage: add-ons, items, limits, discounts, tax, prepaid credits.
CREATE SCHEMA of_adjustments;
USE of_adjustments;
CREATE TABLE rated AS
SELECT
    * EXCLUDE (step),
    row_number() OVER (ORDER BY tenant, subscription, step, ordinal) - 1 AS place
FROM (
    SELECT 0 AS step, * FROM of_fees.usual
    UNION ALL BY NAME
    SELECT 0 AS step, * FROM of_fees.others
    UNION ALL BY NAME
    SELECT 1 AS step, * FROM of_usage.charges
);
CREATE VIEW segments AS FROM 'subscriptions.parquet';
CREATE VIEW terms AS FROM 'terms.parquet';
CREATE VIEW add_ons AS FROM 'add_ons.parquet';
CREATE VIEW redemptions AS FROM 'redemptions.parquet';
CREATE VIEW items AS FROM 'items.parquet';
CREATE VIEW credits AS FROM 'credits.parquet';
CREATE VIEW buyers AS FROM 'buyers.parquet';
CREATE VIEW rules AS FROM 'tax_rules.parquet';
-- Credits pay what is due on invoices; a note has no line of its own month, and they pay none of it.
CREATE VIEW corrected AS
SELECT subscription, sum(amount_minor)::BIGINT AS amount_minor
FROM 'lines.parquet'
SEMI JOIN (
    SELECT invoice
    FROM 'lines.parquet'
    WHERE kind NOT IN ('correction', 'correction_tax', 'credited')
) AS invoices USING (invoice)
WHERE kind IN ('correction', 'correction_tax')
GROUP BY subscription;
