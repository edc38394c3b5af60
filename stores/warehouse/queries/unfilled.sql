-- Deliveries of a type that were landed before one of its meters came.
SELECT
    tenant,
    source,
    id,
    type,
    toUnixTimestamp64Milli(time) AS time_ms,
    data,
    repeated,
    partition,
    epoch,
    offset,
    item,
    toUnixTimestamp64Milli(arrived) AS arrived_ms,
    toUnixTimestamp64Milli(sent) AS sent_ms
FROM usage_events FINAL
WHERE type = {type:String}
    AND NOT hasAll(arrayConcat(meters, left_out), {meters:Array(String)})
SETTINGS do_not_merge_across_partitions_select_final = 1
