-- How far the counters of a comparison have read, by partition; where the windows that begin
-- before `end_ms` end; and whether any billing period is not a calendar month.
SELECT
    partition,
    max(reached),
    toUnixTimestamp64Milli(
        maxIf(window_end, window_start < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC'))
    ),
    countIf(
        window_kind = 'billing_period'
        AND toDateTime64(toStartOfMonth(window_start), 3, 'UTC') != window_start
    ) > 0
FROM compared_counters
WHERE slice = {slice:String}
GROUP BY partition
SETTINGS enable_extended_results_for_datetime_functions = 1
