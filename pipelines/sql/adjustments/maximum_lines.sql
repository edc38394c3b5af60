-- One line for each plan whose usage was capped. Tables: taken, cases, and as in maximum.sql.
INSERT INTO lines BY NAME
SELECT
    cases.case_id,
    3 AS step,
    row_number() OVER (PARTITION BY cases.case_id ORDER BY own.plan) AS place,
    'maximum' AS kind,
    'usage' AS product,
    own.plan,
    cases.period_start_ms,
    cases.period_end_ms,
    -own.taken_minor AS amount_minor,
    whole.left_minor + own.taken_minor AS base_minor
FROM (
    SELECT case_id, plan, sum(taken_minor) AS taken_minor
    FROM taken
    GROUP BY ALL
    HAVING sum(taken_minor) <> 0
) AS own
JOIN cases USING (case_id)
JOIN (
    SELECT case_id, plan, sum(left_minor) AS left_minor
    FROM buckets
    WHERE product = 'usage'
    GROUP BY ALL
) AS whole USING (case_id, plan);
