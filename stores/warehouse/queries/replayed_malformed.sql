-- Rejected elements that name a replayed file as their source.
SELECT count()
FROM rejected FINAL
WHERE position(element, {mark:String}) > 0
SETTINGS do_not_merge_across_partitions_select_final = 1
