-- What one turn of discounts takes off. Tables: discounts, buckets; $turn is the turn.
CREATE OR REPLACE TABLE named AS
SELECT buckets.*
FROM buckets
JOIN discounts
    ON discounts.case_id = buckets.case_id
    AND discounts.turn = $turn
    AND discounts.target IN ('all', buckets.product, CASE WHEN buckets.product = 'usage' THEN buckets.meter END)
    AND (
        discounts.plan IS NULL
        OR (discounts.plan = buckets.plan AND buckets.product IN ('fees', 'usage'))
    )
WHERE buckets.left_minor > 0;

CREATE OR REPLACE TABLE wanted AS
SELECT
    named.case_id,
    CASE
        WHEN any_value(discounts.ppm) IS NOT NULL
            THEN half(sum(named.left_minor) * any_value(discounts.ppm), 1000000)
        ELSE least(any_value(discounts.most_minor), sum(named.left_minor))
    END AS amount_minor
FROM named
JOIN discounts ON discounts.case_id = named.case_id AND discounts.turn = $turn
GROUP BY named.case_id;
