-- What a quantity beyond the pool costs, in 1e-18 of a major unit; pipelines.rating.costs is the specification.
-- `price` is a row of the table `prices`, `q` a HUGEINT in 1e-6 units, never negative.
CREATE MACRO cost(price, q) AS
CASE
    WHEN q = 0 THEN 0::HUGEINT
    WHEN price.model = 'per_unit' THEN q * price.unit_price_pico
    WHEN price.model = 'package'
        THEN (q + price.package_micro - 1) // price.package_micro * price.package_pico * 1000000
    WHEN price.model = 'percentage'
        THEN least(
            greatest(
                q * price.rate_ppm * 1000000 + price.fixed_pico::HUGEINT * 1000000,
                price.minimum_pico::HUGEINT * 1000000
            ),
            price.maximum_pico::HUGEINT * 1000000 -- null: without one
        )
    WHEN price.model = 'graduated'
        THEN list_sum(list_transform(
            price.tiers,
            lambda tier: CASE
                WHEN q <= tier.lower_micro THEN 0::HUGEINT
                ELSE (least(q, tier.upper_micro) - tier.lower_micro) * tier.unit_pico
                    + tier.flat_pico::HUGEINT * 1000000
            END
        ))
    WHEN price.model = 'volume'
        THEN list_sum(list_transform(
            price.tiers,
            lambda tier: CASE
                WHEN q <= tier.lower_micro OR q > tier.upper_micro THEN 0::HUGEINT
                ELSE q * tier.unit_pico + tier.flat_pico::HUGEINT * 1000000
            END
        ))
END
