-- What is missing to the plans' minimum; pipelines.adjustments.limits is the specification.
-- Tables: cases, active, terms, buckets.
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

CREATE TABLE raised AS
SELECT
    cases.*,
    least.plan,
    half(least.share, cases.whole_ms) AS least_minor,
    half(least.share, cases.whole_ms) - coalesce(reached.left_minor, 0) AS amount_minor
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
WHERE half(least.share, cases.whole_ms) > coalesce(reached.left_minor, 0);

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
