-- A row an invoice, in their order: its total, and the text of its document before and after its
-- lines; null where an invoice is not usual. pipelines.invoices.invoicing is the specification.
-- Tables: invoices, lines, segments, periods, price_lists, plans, known_buyers, given; $vector,
-- $escaped, $closing_version, and the kinds of lines $adjusting and $outside (a subtotal).
WITH
buyers AS (
    SELECT
        tenant,
        concat(
            '"buyer":{',
            concat_ws(
                ',',
                '"country":"' || country || '"',
                '"region":"' || region || '"',
                '"tax_id":"' || tax_id || '"'
            ),
            '},'
        ) AS told,
        NOT regexp_matches(concat(country, region, tax_id), $escaped) AS is_usual
    FROM known_buyers
),
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
    SELECT invoice, any_value(anchor_day) AS anchor_day, bool_and(is_usual) AS is_usual
    FROM reaching
    GROUP BY invoice
),
summed AS (
    SELECT
        invoice,
        sum(amount_minor)::BIGINT AS total_minor,
        bool_or(list_contains($adjusting, kind)) AS is_adjusted,
        bool_or(kind = 'tax') AS is_taxed,
        sum(amount_minor) FILTER (WHERE NOT list_contains($outside, kind)) AS subtotal_minor,
        sum(tax_minor) AS tax_minor,
        sum(amount_minor) FILTER (WHERE kind = 'credit_applied') AS applied_minor,
        bool_and(
            NOT coalesce(regexp_matches(value, $escaped), false)
            AND NOT coalesce(regexp_matches(name, $escaped), false)
            AND period_start_ms % 1000 = 0
            AND period_end_ms % 1000 = 0
        ) AS is_usual
    FROM lines
    GROUP BY invoice
),
resting AS (
    -- By which price lists: those of its plans, and the closing's where it taxes.
    SELECT invoice, place FROM reaching WHERE is_in_force
    UNION ALL
    SELECT summed.invoice, price_lists.place
    FROM summed
    JOIN price_lists ON price_lists.catalog_version = $closing_version
    WHERE summed.is_taxed
),
places AS (
    SELECT invoice, min(place) AS first_place, max(place) AS last_place
    FROM resting
    GROUP BY invoice
),
several AS (
    SELECT invoice, string_agg(DISTINCT price_lists.told, ',' ORDER BY price_lists.told) AS told
    FROM resting
    JOIN places USING (invoice)
    JOIN price_lists USING (place)
    WHERE places.first_place <> places.last_place
    GROUP BY invoice
),
told AS (
    SELECT
        invoices.invoice,
        invoices.tenant,
        invoices.subscription,
        invoices.currency,
        summed.*,
        buyers.told AS buyer,
        periods.told AS period,
        coalesce(several.told, price_lists.told) AS catalogs,
        summed.is_usual
        AND subscribed.is_usual
        AND coalesce(buyers.is_usual, true)
        AND NOT regexp_matches(invoices.tenant, $escaped)
        AND NOT regexp_matches(invoices.subscription, $escaped)
        AND invoices.tenant NOT IN (SELECT tenant FROM given) AS is_all_usual
    FROM invoices
    JOIN summed USING (invoice)
    LEFT JOIN subscribed USING (invoice)
    LEFT JOIN buyers USING (tenant)
    LEFT JOIN periods USING (anchor_day)
    LEFT JOIN places USING (invoice)
    LEFT JOIN several USING (invoice)
    LEFT JOIN price_lists ON price_lists.place = places.first_place
)
SELECT
    total_minor,
    CASE WHEN is_all_usual THEN concat(
        '{', buyer, '"catalogs":{', catalogs, '}',
        CASE WHEN is_adjusted THEN concat(',"credits_minor":', coalesce(-applied_minor, 0)) END,
        ',"currency":"', currency, '","lines":['
    ) END AS opening,
    CASE WHEN is_all_usual THEN concat(
        '],"period":', period, ',"subscription":"', subscription, '"',
        CASE WHEN is_adjusted THEN concat(
            ',"subtotal_minor":', coalesce(subtotal_minor, 0),
            ',"tax_minor":', coalesce(tax_minor, 0)
        ) END,
        ',"tenant":"', tenant, '","total_minor":', total_minor, ',"vector":', $vector, '}'
    ) END AS closing
FROM told
ORDER BY invoice
