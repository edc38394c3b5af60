SELECT
    partition,
    epoch,
    position
FROM counter_positions FINAL
ORDER BY partition
