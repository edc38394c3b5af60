-- The invoices of which something does not hold, in their order.
-- Tables: found (from found.sql), differing (from differing.sql).
SELECT
    id,
    total_minor,
    sum_minor,
    stated_minor,
    id NOT IN (FROM differing) AS has_its_lines
FROM found
WHERE NOT is_void
    AND (
        NOT has_its_lines
        OR total_minor <> sum_minor
        OR total_minor IS DISTINCT FROM stated_minor
    )
ORDER BY place
