-- Elements that were not counted: where they stand in the log, and why.
CREATE OR REPLACE VIEW rejected_usage AS
SELECT
    arrived,
    reason,
    detail,
    key,
    element,
    topic,
    epoch,
    partition,
    offset,
    item
FROM rejected FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
