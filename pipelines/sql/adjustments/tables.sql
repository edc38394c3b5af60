-- What the rules of pipelines.adjustments work on. Given tables: segments, rated (fee and usage lines).
CREATE MACRO half(numerator, denominator) AS
    -- Rounded once, half away from zero.
    sign(numerator)::HUGEINT
    * ((2 * abs(numerator)::HUGEINT + denominator) // (2 * denominator::HUGEINT));

CREATE MACRO product_order(product) AS list_position(['fees', 'usage', 'add_ons', 'items'], product);

CREATE TABLE parts AS
SELECT
    *,
    greatest(starts_ms, period_start_ms) AS start_ms,
    least(coalesce(ends_ms, period_end_ms), period_end_ms) AS end_ms,
    period_end_ms - period_start_ms AS whole_ms
FROM segments
WHERE greatest(starts_ms, period_start_ms) < least(coalesce(ends_ms, period_end_ms), period_end_ms);

CREATE TABLE cases AS
-- What belongs to no plan is put under the one in force last.
SELECT
    case_id,
    tenant,
    subscription,
    currency,
    period_start_ms,
    period_end_ms,
    whole_ms,
    arg_max(plan, start_ms) AS last_plan
FROM parts
GROUP BY ALL;

CREATE TABLE active AS
SELECT *, end_ms - start_ms AS part_ms FROM parts WHERE phase = 'active';

-- Every line in order: by the step that makes it, then by its place among that step's.
CREATE TABLE lines (
    case_id BIGINT,
    step INTEGER,
    place BIGINT,
    kind VARCHAR,
    product VARCHAR,
    plan VARCHAR,
    meter VARCHAR,
    period_start_ms BIGINT,
    period_end_ms BIGINT,
    quantity_micro BIGINT,
    fee_minor BIGINT,
    amount_minor HUGEINT,
    told_product VARCHAR,
    name VARCHAR,
    rate_ppm BIGINT,
    base_minor HUGEINT,
    tax_minor HUGEINT
);

INSERT INTO lines BY NAME
SELECT
    cases.case_id,
    0 AS step,
    rated.place,
    rated.kind,
    CASE WHEN rated.meter IS NULL THEN 'fees' ELSE 'usage' END AS product,
    rated.plan,
    rated.meter,
    rated.period_start_ms,
    rated.period_end_ms,
    rated.amount_minor
FROM rated
JOIN cases USING (subscription)
WHERE rated.amount_minor <> 0;
