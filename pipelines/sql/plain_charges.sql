-- Usage lines where one plan is in force for the whole period: the pool is what the plan includes,
-- and nothing comes before. They come nearly in the order of `place`, as usage does.
-- Tables: usage, plain, rates, pieces; piece_cost.sql has the macro.
WITH
split AS (
    SELECT
        plain.subscription,
        plain.period_start_ms,
        plain.period_end_ms,
        usage.meter,
        usage.quantity_micro,
        rates.rate,
        rates.plan,
        rates.currency,
        rates.is_billed,
        rates.unit_price_pico,
        CASE
            WHEN usage.quantity_micro > rates.included_micro -- null: unlimited
                THEN usage.quantity_micro - rates.included_micro
            ELSE 0
        END AS overage_micro,
        unnest([false, true]) AS is_beyond
    FROM usage
    JOIN plain ON plain.subscription = usage.tenant
    JOIN rates ON rates.rate = plain.first_rate + usage.meter
    WHERE usage.segment = 1
)
SELECT
    subscription::BIGINT * 65536 + meter * 2 + is_beyond::INTEGER AS place,
    subscription,
    currency,
    CASE
        WHEN NOT is_beyond THEN 'included'
        WHEN is_billed THEN 'overage'
        ELSE 'not_billed'
    END AS kind,
    meter,
    NULL::VARCHAR AS value,
    plan,
    period_start_ms,
    period_end_ms,
    CASE WHEN is_beyond THEN overage_micro ELSE quantity_micro - overage_micro END AS quantity_micro,
    CASE WHEN is_beyond THEN unit_price_pico END AS unit_price_pico,
    NULL::BIGINT AS fee_minor,
    CASE WHEN is_beyond THEN minor_of(pieces, overage_micro) ELSE 0 END AS amount_minor
FROM split
LEFT JOIN pieces
    ON pieces.rate = split.rate
    AND split.overage_micro > pieces.lower_micro
    AND split.overage_micro <= pieces.upper_micro
WHERE CASE WHEN is_beyond THEN overage_micro > 0 ELSE quantity_micro <> overage_micro END
