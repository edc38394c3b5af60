-- What prepaid credits pay; pipelines.adjustments.credits is the specification.
-- Tables: cases, lines, credits; corrected, what corrections add to what is due.
INSERT INTO lines BY NAME
WITH
due AS (
    SELECT case_id, sum(amount_minor) AS due_minor
    FROM
    (
        SELECT case_id, amount_minor FROM lines
        UNION ALL
        SELECT cases.case_id, corrected.amount_minor FROM corrected JOIN cases USING (subscription)
    )
    GROUP BY case_id
    HAVING sum(amount_minor) > 0
),
usable AS (
    -- Valid at the period's last instant; one that expires at its end still is.
    SELECT
        cases.*,
        credits.key,
        credits.left_minor,
        due.due_minor,
        sum(credits.left_minor) OVER in_order AS reached_minor,
        row_number() OVER in_order AS place
    FROM credits
    JOIN cases USING (tenant, currency)
    JOIN due USING (case_id)
    WHERE credits.left_minor > 0
        AND credits.granted_ms < cases.period_end_ms
        AND (credits.expires_ms IS NULL OR credits.expires_ms >= cases.period_end_ms)
    WINDOW in_order AS (
        PARTITION BY cases.case_id
        ORDER BY
            credits.expires_ms IS NULL,
            credits.expires_ms,
            credits.priority,
            credits.granted_ms,
            credits.key
    )
)
SELECT
    case_id,
    7 AS step,
    place,
    'credit_applied' AS kind,
    last_plan AS plan,
    period_start_ms,
    period_end_ms,
    -least(left_minor, due_minor - (reached_minor - left_minor)) AS amount_minor,
    key AS name,
    left_minor AS base_minor
FROM usable
WHERE reached_minor - left_minor < due_minor;
