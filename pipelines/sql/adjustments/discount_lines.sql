-- The lines of one turn, one for each plan and product. Tables: taken, discounts, cases.
INSERT INTO lines BY NAME
SELECT
    cases.case_id,
    5 AS step,
    $turn * 1000000
    + row_number() OVER (
        PARTITION BY cases.case_id ORDER BY product_order(own.product), own.plan
    ) AS place,
    'discount' AS kind,
    own.product,
    own.plan,
    cases.period_start_ms,
    cases.period_end_ms,
    -own.taken_minor AS amount_minor,
    own.product AS told_product,
    discounts.coupon AS name,
    discounts.ppm AS rate_ppm,
    own.left_minor AS base_minor
FROM (
    SELECT case_id, product, plan, sum(taken_minor) AS taken_minor, sum(left_minor) AS left_minor
    FROM taken
    WHERE taken_minor <> 0
    GROUP BY ALL
) AS own
JOIN cases USING (case_id)
JOIN discounts ON discounts.case_id = own.case_id AND discounts.turn = $turn;
