-- Subscriptions whose adjusting lines are to be looked at one by one: those with a discount or a
-- credit, on a plan with a minimum or maximum, or with a tax that is not plainly its rate of its
-- base. What is listed may still be right; what is not, is. See pipelines.checks.adjustment_checks.
-- Tables: lines, segments, limited (catalog_version, plan).
SELECT subscription
FROM lines
WHERE kind IN ('discount', 'credit_applied')
    OR (
        kind = 'tax'
        AND CASE
            WHEN amount_minor = coalesce(tax_minor, 0) THEN
                2 * abs(
                    amount_minor::HUGEINT * 1000000
                    - coalesce(base_minor, 0)::HUGEINT * coalesce(rate_ppm, 0)
                ) > 1000000
            WHEN amount_minor = 0 THEN abs(tax_minor) > abs(coalesce(base_minor, 0))
            ELSE true
        END
    )
UNION
SELECT segments.subscription
FROM segments
JOIN limited USING (catalog_version, plan)
