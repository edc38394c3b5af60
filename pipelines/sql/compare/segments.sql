-- The segments that are billed, as parts.sql takes them. Tables: every (segments), periods.
CREATE VIEW segments AS
SELECT
    every.*,
    every.phase = 'trial' AS is_trial,
    periods.start_ms AS period_start_ms,
    periods.end_ms AS period_end_ms
FROM every
JOIN periods USING (anchor_day)
WHERE every.phase <> 'paused'
