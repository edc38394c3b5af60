-- Tax of each line by itself; pipelines.adjustments.taxes is the specification.
-- Tables: cases, lines, buyers, rules (place, name, name_place, …).
CREATE TABLE profiles AS
SELECT cases.case_id, buyers.country, buyers.region, buyers.tax_id IS NOT NULL AS has_tax_id
FROM cases
LEFT JOIN buyers USING (tenant);

CREATE TABLE rates AS
-- Of the rules with one name the first that fits, for each kind of buyer and of product.
WITH
kinds AS (SELECT DISTINCT country, region, has_tax_id FROM profiles),
fitting AS (
    SELECT
        kinds.*,
        products.product,
        rules.* EXCLUDE (country, region, target),
        rules.rate_ppm = 0 OR (rules.reverse_charge AND kinds.has_tax_id) AS is_free,
        rules.reverse_charge AND kinds.has_tax_id AS is_reversed
    FROM kinds
    CROSS JOIN unnest(['fees', 'usage', 'add_ons', 'items']) AS products(product)
    JOIN rules
        ON (rules.country IS NULL OR rules.country = kinds.country)
        AND (rules.region IS NULL OR rules.region = kinds.region)
        AND rules.target IN ('all', products.product)
    QUALIFY row_number() OVER (
        PARTITION BY kinds.country, kinds.region, kinds.has_tax_id, products.product, rules.name
        ORDER BY rules.place
    ) = 1
)
SELECT
    *,
    sum(CASE WHEN included THEN rate_ppm ELSE 0 END) OVER (
        PARTITION BY country, region, has_tax_id, product
    ) AS within_ppm
FROM fitting;

CREATE TABLE taxed AS
SELECT
    lines.* EXCLUDE (name, rate_ppm, base_minor, tax_minor),
    -- The line's place on its invoice, as a number of its own.
    lines.step::BIGINT * 1000000000000 + lines.place AS line_place,
    rates.name,
    rates.name_place,
    rates.place AS rule_place,
    rates.rate_ppm,
    rates.included,
    rates.is_free,
    rates.is_reversed,
    CASE
        WHEN rates.included
            THEN half(lines.amount_minor * rates.rate_ppm, 1000000 + rates.within_ppm)
        ELSE half(lines.amount_minor * rates.rate_ppm, 1000000)
    END AS tax_minor
FROM lines
JOIN profiles USING (case_id)
JOIN rates
    ON rates.product = lines.product
    AND rates.country IS NOT DISTINCT FROM profiles.country
    AND rates.region IS NOT DISTINCT FROM profiles.region
    AND rates.has_tax_id = profiles.has_tax_id
WHERE lines.amount_minor <> 0;

INSERT INTO lines BY NAME
SELECT
    case_id,
    6 AS step,
    -- By name, what is free last, then as the lines that are taxed.
    name_place * 100000000000000 + is_free::BIGINT * 50000000000000 + line_place AS place,
    'tax' AS kind,
    product,
    plan,
    meter,
    period_start_ms,
    period_end_ms,
    CASE WHEN included THEN 0 ELSE tax_minor END AS amount_minor,
    told_product,
    name,
    rate_ppm,
    base_minor,
    tax_minor
FROM (
    SELECT
        case_id, name_place, is_free, line_place, product, plan, meter, period_start_ms,
        period_end_ms, included, name, rate_ppm, amount_minor AS base_minor, tax_minor,
        product AS told_product
    FROM taxed
    WHERE NOT is_free
    UNION ALL
    -- Of a rate of 0 one line in all.
    SELECT
        cases.case_id,
        taxed.name_place,
        true,
        min(taxed.line_place),
        NULL,
        cases.last_plan,
        NULL,
        cases.period_start_ms,
        cases.period_end_ms,
        false,
        CASE WHEN taxed.is_reversed THEN taxed.name || ', reverse charge' ELSE taxed.name END,
        0,
        sum(taxed.amount_minor),
        0,
        NULL
    FROM taxed
    JOIN cases USING (case_id)
    WHERE taxed.is_free
    GROUP BY
        cases.case_id, taxed.name_place, cases.last_plan, cases.period_start_ms,
        cases.period_end_ms, taxed.is_reversed, taxed.name, taxed.rule_place
);
