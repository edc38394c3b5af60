-- The newest rejections; an empty reason or tenant stands for all.
SELECT
    arrived,
    reason,
    detail,
    key,
    topic,
    partition,
    offset,
    item,
    element
FROM rejected_usage
WHERE ({reason:String} = '' OR reason = {reason:String})
    AND ({tenant:String} = '' OR key = {tenant:String})
ORDER BY arrived DESC, partition, offset DESC, item
LIMIT {limit:UInt32}
