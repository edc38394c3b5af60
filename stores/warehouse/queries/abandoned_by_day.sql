-- Tables beside usage_by_day that a killed filling has left: none takes a day.
SELECT name
FROM system.tables
WHERE database = currentDatabase()
    AND startsWith(name, 'usage_by_day_')
    AND metadata_modification_time < now() - INTERVAL 1 DAY
