-- The text of each line in its invoice's document, with what comes before the first line and after
-- the last; pipelines.invoices.invoicing is the specification, its line_document and format_micro.
-- Tables: lines, with what opens and closes their invoices; $month_start_ms, $month_end_ms, $month.
WITH
digits AS (
    SELECT
        *,
        abs(quantity_micro) // 1000000 AS units,
        abs(quantity_micro) % 1000000 AS micro,
        abs(unit_price_pico) // 1000000000000 AS price_units,
        abs(unit_price_pico) % 1000000000000 AS pico
    FROM lines
)
SELECT
    place,
    concat( -- leaves out what is null
        opening,
        '{"amount_minor":', amount_minor,
        ',"base_minor":' || base_minor,
        ',"fee_minor":' || fee_minor,
        ',"kind":"', kind, '"',
        ',"meter":"' || meter || '"',
        ',"name":"' || name || '"',
        ',"period":', CASE
            WHEN period_start_ms = $month_start_ms AND period_end_ms = $month_end_ms THEN $month
            ELSE strftime(make_timestamp_ms(period_end_ms), '{"end":"%Y-%m-%dT%H:%M:%SZ"')
                || strftime(make_timestamp_ms(period_start_ms), ',"start":"%Y-%m-%dT%H:%M:%SZ"}')
        END,
        ',"plan":"', plan, '"',
        ',"product":"' || product || '"',
        CASE WHEN quantity_micro IS NOT NULL THEN concat(
            ',"quantity":"', CASE WHEN quantity_micro < 0 THEN '-' END, units,
            CASE WHEN micro > 0 THEN '.' || rtrim(lpad(micro::VARCHAR, 6, '0'), '0') END, '"'
        ) END,
        ',"rate_ppm":' || rate_ppm,
        ',"tax_minor":' || tax_minor,
        CASE WHEN unit_price_pico IS NOT NULL THEN concat(
            ',"unit_price":"', CASE WHEN unit_price_pico < 0 THEN '-' END, price_units,
            CASE WHEN pico > 0 THEN '.' || rtrim(lpad(pico::VARCHAR, 12, '0'), '0') END, '"'
        ) END,
        ',"value":"' || value || '"',
        '}',
        coalesce(closing, ',')
    ) AS told
FROM digits
