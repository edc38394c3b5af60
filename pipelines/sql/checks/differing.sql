-- Invoices with other lines than the ledger's make, or without any that the ledger has lines for.
-- Lines are compared as a set: their ordinals are among what they say.
-- Tables: found (from found.sql), stored_lines, expected_lines.
WITH
surplus AS (FROM stored_lines EXCEPT ALL FROM expected_lines),
missing AS (FROM expected_lines EXCEPT ALL FROM stored_lines)
SELECT found.id
FROM found
WHERE found.id IN (SELECT invoice FROM missing)
    OR (found.id IN (SELECT invoice FROM surplus)
        AND NOT (found.is_later AND found.id NOT IN (SELECT invoice FROM expected_lines)))
