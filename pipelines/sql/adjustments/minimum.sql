-- What is missing to the plans' minimum; pipelines.adjustments.limits is the specification.
-- Tables: cases, active, segments, terms, lines, buckets.
CREATE TABLE committed AS
SELECT
    case_id,
    plan,
    sum(terms.minimum_minor::HUGEINT * part_ms) AS share,
    max(start_ms) AS last_start_ms
FROM active
JOIN terms USING (catalog_version, plan, currency)
WHERE active.billing_interval = 'month' AND terms.minimum_minor IS NOT NULL
GROUP BY case_id, plan;

CREATE TABLE of_years AS
-- Fees of plans paid by the year, which have committed already, and what is given back of them.
SELECT lines.case_id, sum(lines.amount_minor) AS amount_minor
FROM lines
SEMI JOIN committed USING (case_id, plan)
JOIN segments
    ON segments.case_id = lines.case_id
    AND segments.billing_interval = 'year'
    AND CASE
        WHEN lines.kind = 'proration_credit' THEN segments.ends_ms = lines.period_start_ms
        ELSE segments.starts_ms <= lines.period_start_ms
            AND coalesce(segments.ends_ms > lines.period_start_ms, true)
    END
WHERE lines.step = 0 AND lines.product = 'fees'
GROUP BY lines.case_id;

CREATE TABLE raised AS
SELECT
    cases.*,
    least.plan,
    half(least.share, cases.whole_ms) AS least_minor,
    coalesce(reached.left_minor, 0) - coalesce(of_years.amount_minor, 0) AS reached_minor,
    least_minor - reached_minor AS amount_minor
FROM (
    SELECT case_id, sum(share) AS share, arg_max(plan, last_start_ms) AS plan
    FROM committed
    GROUP BY case_id
) AS least
JOIN cases USING (case_id)
LEFT JOIN (
    SELECT case_id, sum(left_minor) AS left_minor
    FROM buckets
    SEMI JOIN committed USING (case_id, plan)
    WHERE product IN ('fees', 'usage')
    GROUP BY ALL
) AS reached USING (case_id)
LEFT JOIN of_years USING (case_id)
WHERE least_minor > reached_minor;

INSERT INTO lines BY NAME
SELECT
    case_id,
    4 AS step,
    1 AS place,
    'minimum' AS kind,
    'fees' AS product,
    plan,
    period_start_ms,
    period_end_ms,
    amount_minor,
    least_minor AS base_minor
FROM raised;

CREATE OR REPLACE TABLE buckets AS
SELECT case_id, product, plan, meter, sum(left_minor) AS left_minor
FROM (
    SELECT case_id, product, plan, meter, left_minor FROM buckets
    UNION ALL
    SELECT case_id, 'fees', plan, '', amount_minor FROM raised
)
GROUP BY ALL;
