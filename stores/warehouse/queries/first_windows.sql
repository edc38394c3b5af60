-- The first window of each kind in which a meter was ever counted.
SELECT
    meter,
    window_kind,
    toUnixTimestamp64Milli(min(window_start))
FROM counters
WHERE NOT ended
GROUP BY meter, window_kind
