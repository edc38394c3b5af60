-- What usage costs beyond the plans' maximum; pipelines.adjustments.limits is the specification.
-- Tables: cases, active, terms, buckets.
CREATE OR REPLACE TABLE capped AS
SELECT subscription, plan, sum(terms.maximum_minor::HUGEINT * part_ms) AS share
FROM active
JOIN terms USING (catalog_version, plan, currency)
GROUP BY subscription, plan
-- One part without a cap leaves the plan uncapped.
HAVING bool_and(terms.maximum_minor IS NOT NULL);

CREATE OR REPLACE TABLE named AS
SELECT buckets.* FROM buckets
SEMI JOIN capped USING (subscription, plan)
WHERE product = 'usage' AND left_minor > 0;

CREATE OR REPLACE TABLE wanted AS
SELECT
    cases.subscription,
    used.left_minor - half(caps.share, cases.whole_ms) AS amount_minor
FROM cases
JOIN (SELECT subscription, sum(share) AS share FROM capped GROUP BY ALL) AS caps USING (subscription)
JOIN (
    SELECT subscription, sum(left_minor) AS left_minor
    FROM buckets
    SEMI JOIN capped USING (subscription, plan)
    WHERE product = 'usage'
    GROUP BY ALL
) AS used USING (subscription);
