-- Whose usage or counters are here, of those that are named; of everybody without a name.
SELECT tenant
FROM usage_events
WHERE empty({named:Array(String)}) OR tenant IN {named:Array(String)}
UNION DISTINCT
SELECT tenant
FROM counters
WHERE empty({named:Array(String)}) OR tenant IN {named:Array(String)}
