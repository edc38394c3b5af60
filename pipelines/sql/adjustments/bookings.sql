-- Add-ons and one-off items; pipelines.adjustments.bookings is the specification.
-- Tables: cases, active, segments, add_ons (with their terms), items.
CREATE TABLE booked AS
SELECT
    cases.*,
    add_ons.key,
    add_ons.add_on,
    add_ons.quantity,
    add_ons.interval_,
    add_ons.fee_minor * add_ons.quantity AS fee_minor,
    add_ons.starts_ms,
    coalesce(add_ons.ends_ms, 9223372036854775807) AS ends_ms
FROM add_ons
JOIN cases USING (tenant, currency);

INSERT INTO lines BY NAME
WITH
by_month AS (
    SELECT
        booked.case_id,
        booked.key,
        min(greatest(active.start_ms, booked.starts_ms)) AS period_start_ms,
        max(least(active.end_ms, booked.ends_ms)) AS period_end_ms,
        half(
            sum(booked.fee_minor::HUGEINT * (
                least(active.end_ms, booked.ends_ms) - greatest(active.start_ms, booked.starts_ms)
            )),
            any_value(booked.whole_ms)
        ) AS amount_minor
    FROM booked
    JOIN active
        ON active.case_id = booked.case_id
        AND active.start_ms < booked.ends_ms
        AND booked.starts_ms < active.end_ms
    WHERE booked.interval_ = 'month'
    GROUP BY ALL
),
years AS (
    -- A year of an add-on, as far as the add-on goes; a month reaches into two at most.
    SELECT
        booked.*,
        greatest(booked.starts_ms, epoch_ms(make_timestamp_ms(booked.starts_ms) + to_years(n::INTEGER)))
            AS year_start_ms,
        least(booked.ends_ms, epoch_ms(make_timestamp_ms(booked.starts_ms) + to_years(n::INTEGER + 1)))
            AS year_end_ms
    FROM booked
    CROSS JOIN unnest([-1, 0, 1]) AS around(step)
    CROSS JOIN LATERAL (
        SELECT
            year(make_timestamp_ms(booked.period_start_ms))
            - year(make_timestamp_ms(booked.starts_ms))
            + around.step AS n
    )
    WHERE booked.interval_ = 'year' AND n >= 0
),
due AS (
    -- While no plan is paid for, a year waits.
    SELECT
        years.case_id,
        years.key,
        years.fee_minor,
        years.year_end_ms,
        min(greatest(segments.starts_ms, years.year_start_ms)) AS due_ms
    FROM years
    JOIN segments
        ON segments.case_id = years.case_id
        AND segments.phase = 'active'
        AND segments.starts_ms < years.year_end_ms
        AND coalesce(segments.ends_ms, 9223372036854775807) > years.year_start_ms
    WHERE years.year_start_ms < years.year_end_ms
    GROUP BY ALL
),
by_year AS (
    SELECT
        due.case_id,
        due.key,
        due.due_ms AS period_start_ms,
        due.year_end_ms AS period_end_ms,
        due.fee_minor::HUGEINT AS amount_minor
    FROM due
    JOIN cases
        ON cases.case_id = due.case_id
        AND due.due_ms >= cases.period_start_ms
        AND due.due_ms < cases.period_end_ms
)
SELECT
    booked.case_id,
    1 AS step,
    row_number() OVER (
        PARTITION BY booked.case_id ORDER BY booked.key, own.period_start_ms
    ) AS place,
    'add_on' AS kind,
    'add_ons' AS product,
    booked.last_plan AS plan,
    own.period_start_ms,
    own.period_end_ms,
    booked.quantity * 1000000 AS quantity_micro,
    booked.fee_minor,
    own.amount_minor,
    booked.add_on AS name
FROM booked
JOIN (SELECT * FROM by_month UNION ALL SELECT * FROM by_year) AS own USING (case_id, key);

INSERT INTO lines BY NAME
SELECT
    cases.case_id,
    2 AS step,
    row_number() OVER (PARTITION BY cases.case_id ORDER BY items.key) AS place,
    'item' AS kind,
    'items' AS product,
    cases.last_plan AS plan,
    cases.period_start_ms,
    cases.period_end_ms,
    items.amount_minor,
    items.description AS name
FROM items
JOIN cases USING (tenant, currency);

CREATE TABLE buckets AS
SELECT case_id, product, plan, coalesce(meter, '') AS meter, sum(amount_minor) AS left_minor
FROM lines
GROUP BY ALL;
