-- Spread reductions over what is left: pipelines.adjustments.buckets.spread is the specification.
-- Tables: wanted (case_id, amount_minor), named (rows of buckets, each with something left).
CREATE OR REPLACE TABLE taken AS
WITH
reached AS (
    SELECT
        named.*,
        wanted.amount_minor,
        sum(named.left_minor) OVER in_order AS reached_minor,
        sum(named.left_minor) OVER (PARTITION BY named.case_id) AS whole_minor
    FROM named
    JOIN wanted USING (case_id)
    WHERE wanted.amount_minor > 0
    WINDOW in_order AS (
        PARTITION BY named.case_id
        ORDER BY product_order(named.product), named.plan, named.meter
    )
)
SELECT
    * EXCLUDE (amount_minor, reached_minor, whole_minor),
    half(amount_minor * reached_minor, whole_minor)
    - half(amount_minor * (reached_minor - left_minor), whole_minor) AS taken_minor
FROM reached;

UPDATE buckets
SET left_minor = buckets.left_minor - taken.taken_minor
FROM taken
WHERE buckets.case_id = taken.case_id
    AND buckets.product = taken.product
    AND buckets.plan = taken.plan
    AND buckets.meter = taken.meter;
