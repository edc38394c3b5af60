-- How far each partition of each epoch is stored: one beyond its last offset.
SELECT
    epoch,
    partition,
    max(offset) + 1 AS stored
FROM usage_events
GROUP BY epoch, partition
