-- A month's usage by tenant and meter of time_weighted `meters`, from the deliveries themselves (see
-- totals.sql). Shares no table with usage_gauges.sql: each gauge's readings stand in a list, and each
-- holds to the next. The values of a pricing key are gauges of their own.
WITH
    deliveries AS
    (
        SELECT
            tenant,
            argMin(
                (meters, quantities, dimensions, (usage_events.time, position, item)),
                (position, item, -length(meters) - length(left_out))
            ) AS first
        FROM usage_events
        WHERE toYYYYMM(time) <= toYYYYMM(fromUnixTimestamp64Milli({end_ms:Int64} - 1, 'UTC'))
            AND hasAny(arrayConcat(meters, left_out), {meters:Array(String)})
            AND (NOT {is_chosen:Bool} OR tenant IN (SELECT tenant FROM closing_bounds WHERE slice = {slice:String}))
            AND offset < transform(
                bitOr(bitShiftLeft(toUInt32(epoch), 16), toUInt32(partition)),
                {keys:Array(UInt32)},
                {ends:Array(UInt64)},
                toUInt64(0)
            )
        GROUP BY tenant, event_key, toYYYYMM(usage_events.time)
    ),
    readings AS
    (
        SELECT
            tenant,
            toString(metered) AS meter,
            toString(dimension) AS value,
            first.4 AS place,
            toUnixTimestamp64Milli(first.4.1) AS at_ms,
            toInt128(toDecimal128(quantity, 6) * 1000000) AS micro
        FROM deliveries
        ARRAY JOIN
            first.1 AS metered,
            first.2 AS quantity,
            first.3 AS dimension
        WHERE metered IN {meters:Array(String)}
            AND at_ms < {end_ms:Int64}
    ),
    gauges AS
    (
        SELECT
            tenant,
            meter,
            argMaxIf(micro, place, at_ms < {start_ms:Int64}) AS carried,
            arraySort(groupArrayIf((place, at_ms, micro), at_ms >= {start_ms:Int64})) AS own,
            arrayConcat([carried], arrayMap(reading -> reading.3, own)) AS held,
            arrayConcat([{start_ms:Int64}], arrayMap(reading -> reading.2, own)) AS begun,
            arrayPushBack(arrayPopFront(begun), {end_ms:Int64}) AS ended,
            arraySum((micro, a, b) -> micro * (b - a), held, begun, ended) AS micro_ms,
            -- Floored to 1e-6 unit hours; the engine's own division cuts.
            intDiv(micro_ms, 3600000) - toInt8(micro_ms < 0 AND micro_ms % 3600000 != 0) AS whole
        FROM readings
        GROUP BY tenant, meter, value
    )
SELECT
    tenant,
    meter,
    toInt64(clamp(sum(whole), -9223372036854775807, 9223372036854775807)) AS quantity_micro
FROM gauges
GROUP BY tenant, meter
