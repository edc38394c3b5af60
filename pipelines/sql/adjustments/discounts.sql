-- Which discounts apply and in which turn; pipelines.adjustments.discounts is the specification.
-- Tables: cases, active, terms, redemptions (with their terms).
CREATE TABLE discounts AS
WITH
of_plans AS (
    -- A plan's amount is for a whole period; its terms are those in force last within it.
    SELECT
        case_id,
        plan,
        last.ppm,
        last.target,
        half(last.minor * part_ms, whole_ms) AS most_minor
    FROM (
        SELECT
            active.case_id,
            active.plan,
            sum(active.part_ms)::HUGEINT AS part_ms,
            any_value(active.whole_ms) AS whole_ms,
            -- As one value: arg_max would pass over a null.
            arg_max(
                {
                    'ppm': terms.discount_ppm,
                    'target': terms.discount_on,
                    'minor': coalesce(terms.discount_minor, 0)
                },
                active.start_ms
            ) AS last
        FROM active
        JOIN terms USING (catalog_version, plan, currency)
        GROUP BY active.case_id, active.plan
    )
    WHERE last.target IS NOT NULL
),
of_coupons AS (
    SELECT
        cases.case_id,
        redemptions.coupon,
        redemptions.starts_ms,
        redemptions.ppm,
        redemptions.target,
        redemptions.most_minor
    FROM redemptions
    JOIN cases
        ON cases.tenant = redemptions.tenant
        AND cases.currency = redemptions.currency
        AND redemptions.starts_ms < cases.period_end_ms
        AND (redemptions.ends_ms IS NULL OR redemptions.ends_ms > cases.period_start_ms)
),
found AS (
    SELECT case_id, plan, NULL AS coupon, NULL AS starts_ms, ppm, target, most_minor
    FROM of_plans
    UNION ALL
    SELECT case_id, NULL, coupon, starts_ms, ppm, target, most_minor
    FROM of_coupons
)
SELECT
    *,
    row_number() OVER (
        PARTITION BY case_id
        ORDER BY ppm IS NULL, coupon IS NOT NULL, plan, starts_ms, coupon
    ) AS turn
FROM found;
