-- Usage by day (UTC), tenant, meter and model, each event once: what the events add up to, also of
-- a meter that does not add them up.
CREATE OR REPLACE VIEW usage_daily AS
SELECT
    toDate(time) AS day,
    tenant,
    meter,
    model,
    sum(value) AS quantity,
    count() AS events
FROM metered_usage FINAL
WHERE NOT is_left_out
GROUP BY day, tenant, meter, model
SETTINGS do_not_merge_across_partitions_select_final = 1
