-- What usage costs beyond the plans' maximum; pipelines.adjustments.limits is the specification.
-- Tables: cases, active, terms, buckets.
CREATE OR REPLACE TABLE capped AS
SELECT case_id, plan, sum(terms.maximum_minor::HUGEINT * part_ms) AS share
FROM active
JOIN terms USING (catalog_version, plan, currency)
GROUP BY case_id, plan
-- One part without a cap leaves the plan uncapped.
HAVING bool_and(terms.maximum_minor IS NOT NULL);

CREATE OR REPLACE TABLE named AS
SELECT buckets.* FROM buckets
SEMI JOIN capped USING (case_id, plan)
WHERE product = 'usage' AND left_minor > 0;

CREATE OR REPLACE TABLE wanted AS
SELECT
    cases.case_id,
    used.left_minor - half(caps.share, cases.whole_ms) AS amount_minor
FROM cases
JOIN (SELECT case_id, sum(share) AS share FROM capped GROUP BY ALL) AS caps USING (case_id)
JOIN (
    SELECT case_id, sum(left_minor) AS left_minor
    FROM buckets
    SEMI JOIN capped USING (case_id, plan)
    WHERE product = 'usage'
    GROUP BY ALL
) AS used USING (case_id);
