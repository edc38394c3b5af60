-- A row an invoice, in their order: its total, and the text of its document before and after its
-- lines; null where an invoice is not usual. pipelines.invoicing is the specification.
-- Tables: invoices, lines, segments, periods, price_lists, plans, given; $vector, $escaped.
WITH
reaching AS (
    SELECT
        segments.invoice,
        segments.anchor_day,
        price_lists.place,
        segments.phase <> 'paused'
        AND segments.starts_ms < periods.end_ms
        AND coalesce(segments.ends_ms > periods.start_ms, true) AS is_in_force,
        plans.is_usual AND NOT (plans.has_yearly_fee AND segments.interval = 'year') AS is_usual
    FROM segments
    JOIN periods USING (anchor_day)
    JOIN price_lists USING (catalog_version)
    JOIN plans USING (catalog_version, plan)
    WHERE segments.starts_ms <= periods.end_ms
        AND coalesce(segments.ends_ms >= periods.start_ms, true)
),
subscribed AS (
    SELECT
        invoice,
        any_value(anchor_day) AS anchor_day,
        bool_and(is_usual) AS is_usual,
        min(place) FILTER (is_in_force) AS first_place,
        max(place) FILTER (is_in_force) AS last_place
    FROM reaching
    GROUP BY invoice
),
several AS (
    SELECT invoice, string_agg(DISTINCT price_lists.told, ',' ORDER BY price_lists.told) AS told
    FROM reaching
    JOIN subscribed USING (invoice)
    JOIN price_lists USING (place)
    WHERE subscribed.first_place <> subscribed.last_place AND reaching.is_in_force
    GROUP BY invoice
),
summed AS (
    SELECT
        invoice,
        sum(amount_minor)::BIGINT AS total_minor,
        bool_and(
            kind IN (
                'base_fee', 'proration_credit', 'proration_charge',
                'included', 'overage', 'not_billed'
            )
            AND coalesce(product, name) IS NULL
            AND coalesce(rate_ppm, base_minor, tax_minor) IS NULL
            AND NOT coalesce(regexp_matches(value, $escaped), false)
            AND period_start_ms % 1000 = 0
            AND period_end_ms % 1000 = 0
        ) AS is_usual
    FROM lines
    GROUP BY invoice
),
told AS (
    SELECT
        invoices.invoice,
        invoices.tenant,
        invoices.subscription,
        invoices.currency,
        summed.total_minor,
        periods.told AS period,
        coalesce(several.told, price_lists.told) AS catalogs,
        summed.is_usual
        AND subscribed.is_usual
        AND NOT regexp_matches(invoices.tenant, $escaped)
        AND NOT regexp_matches(invoices.subscription, $escaped)
        AND invoices.tenant NOT IN (SELECT tenant FROM given) AS is_usual
    FROM invoices
    JOIN summed USING (invoice)
    LEFT JOIN subscribed USING (invoice)
    LEFT JOIN periods USING (anchor_day)
    LEFT JOIN several USING (invoice)
    LEFT JOIN price_lists ON price_lists.place = subscribed.first_place
)
SELECT
    total_minor,
    CASE WHEN is_usual
        THEN concat('{"catalogs":{', catalogs, '},"currency":"', currency, '","lines":[')
    END AS opening,
    CASE WHEN is_usual THEN concat(
        '],"period":', period, ',"subscription":"', subscription, '","tenant":"', tenant,
        '","total_minor":', total_minor, ',"vector":', $vector, '}'
    ) END AS closing
FROM told
ORDER BY invoice
