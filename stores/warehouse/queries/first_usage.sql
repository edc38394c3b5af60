-- Since when there is usage; told by the parts' own bounds, without reading them.
SELECT
    count(),
    toUnixTimestamp64Milli(min(time))
FROM usage_events
