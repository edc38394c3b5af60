-- What the lines of invoices that are not void bill, by tenant and meter.
-- Tables: heads, read_lines.
SELECT heads.tenant, read_lines.meter, sum(read_lines.quantity_micro)::BIGINT AS quantity_micro
FROM (
    SELECT place, meter, sum(quantity_micro) AS quantity_micro
    FROM read_lines
    WHERE quantity_micro IS NOT NULL AND meter IS NOT NULL
    GROUP BY place, meter
) AS read_lines
JOIN heads USING (place)
GROUP BY heads.tenant, read_lines.meter
ORDER BY heads.tenant, read_lines.meter
