-- Keeps a month's counters as they are now: every window that meets the month.
INSERT INTO compared_counters
    (slice, tenant, meter, window_kind, window_start, window_end, used, reached, partition, state_offset)
SELECT
    {slice:String},
    tenant,
    meter,
    window_kind,
    window_start,
    window_end,
    used,
    bitOr(bitShiftLeft(toUInt64(epoch), 48), position),
    partition,
    state_offset
FROM counters FINAL
WHERE NOT ended
    AND window_end > fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
    AND window_start < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
