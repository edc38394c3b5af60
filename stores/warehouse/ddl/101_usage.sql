-- Usage by event and meter, each event once.
CREATE OR REPLACE VIEW usage AS
SELECT
    tenant,
    meter,
    model,
    time,
    value AS quantity,
    type,
    source,
    id,
    arrived,
    dimension
FROM metered_usage FINAL
WHERE NOT is_left_out
SETTINGS do_not_merge_across_partitions_select_final = 1
