-- The oldest price list that counters of an epoch run; 0 when none has written yet.
SELECT min(catalog_version)
FROM counter_positions FINAL
WHERE epoch = {epoch:UInt16}
