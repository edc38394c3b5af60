-- What October 2026 must cost, computed from the usage file and the subscriptions file alone.
-- Written apart from the product's own statements: prices are literals taken from the price list's
-- text, proration is done in whole seconds, and every product is an exact HUGEINT.
-- Plans are changed by a file of commands: another plan from an instant on, or the end of all.
-- Parameters: $usage, $subscriptions, $changes (files), $from, $until (the month, TIMESTAMPTZ).
WITH
plans(plan, fee_usd, fee_cny, included, over_usd, over_cny) AS (
    VALUES ('free', 0, 0, 100000, NULL, NULL),
           ('pro', 4999, 34900, 1000000, 800, 5600),
           ('enterprise', 19999, 139900, 10000000, 500, 3500)
),
month AS (SELECT epoch($from::TIMESTAMPTZ)::HUGEINT AS a, epoch($until::TIMESTAMPTZ)::HUGEINT AS z),
changes AS (
    SELECT tenant, command, plan,
           CASE "when" WHEN 'now' THEN epoch(given_at::TIMESTAMPTZ)::HUGEINT ELSE z END AS takes_effect
    FROM read_csv($changes, header = true, all_varchar = true), month
),
written AS (
    SELECT tenant, plan, epoch(starts_at::TIMESTAMPTZ)::HUGEINT AS s,
           epoch(ends_at::TIMESTAMPTZ)::HUGEINT AS e, currency
    FROM read_csv($subscriptions, header = true, all_varchar = true)
    UNION ALL
    SELECT tenant, plan, takes_effect, NULL, NULL FROM changes WHERE command = 'change'
),
rows AS (
    SELECT w.tenant, w.plan, w.s,
           least(coalesce(w.e, lead(w.s) OVER (PARTITION BY w.tenant ORDER BY w.s), 9999999999),
                 coalesce(c.takes_effect, 9999999999)) AS e,
           coalesce(nullif(max(coalesce(currency, '')) OVER (PARTITION BY w.tenant), ''), 'USD') AS currency
    FROM written w LEFT JOIN changes c ON c.tenant = w.tenant AND c.command = 'cancel'
),
segments AS (
    SELECT r.tenant, r.currency, r.plan, greatest(r.s, m.a) AS s, least(r.e, m.z) AS e, m.z - m.a AS length,
           m.z AS month_end,
           CASE r.currency WHEN 'USD' THEN p.fee_usd ELSE p.fee_cny END::HUGEINT AS fee,
           CASE r.currency WHEN 'USD' THEN p.over_usd ELSE p.over_cny END::HUGEINT AS price,
           p.included::HUGEINT * 1000000 AS included
    FROM rows r JOIN plans p USING (plan), month m
    WHERE greatest(r.s, m.a) < least(r.e, m.z)
),
numbered AS (
    SELECT *, lag(e) OVER w AS previous_end, lag(fee) OVER w AS previous_fee,
           lead(s) OVER w AS next_start
    FROM segments WINDOW w AS (PARTITION BY tenant ORDER BY s)
),
-- Where an unbroken run of segments ends: fees are prorated to there.
runs AS (
    SELECT *, sum(CASE WHEN previous_end = s THEN 0 ELSE 1 END) OVER (PARTITION BY tenant ORDER BY s) AS run
    FROM numbered
),
ended AS (SELECT *, max(e) OVER (PARTITION BY tenant, run) AS run_end FROM runs),
fees AS (
    SELECT tenant,
           CASE WHEN previous_end IS DISTINCT FROM s
                THEN (2 * fee * (run_end - s) + length) // (2 * length)
                ELSE (2 * fee * (run_end - s) + length) // (2 * length)
                   - (2 * previous_fee * (run_end - s) + length) // (2 * length)
           END AS amount
    FROM ended
),
requests AS (
    SELECT u.tenant, epoch_ms(u."time")::HUGEINT AS t, (u.input_tokens + u.output_tokens)::HUGEINT * 1000000 AS q
    FROM read_parquet($usage) u
    WHERE u."time" >= $from::TIMESTAMPTZ AND u."time" < $until::TIMESTAMPTZ
),
used AS (
    SELECT g.tenant, g.s, coalesce(sum(r.q), 0)::HUGEINT AS q
    FROM segments g LEFT JOIN requests r ON r.tenant = g.tenant AND r.t >= g.s * 1000 AND r.t < g.e * 1000
    GROUP BY ALL
),
pooled AS (
    SELECT g.tenant, g.s, g.price, u.q,
           sum(u.q) OVER (PARTITION BY g.tenant ORDER BY g.s)::HUGEINT AS c,
           sum(g.included * (g.e - g.s) // g.length) OVER (PARTITION BY g.tenant)::HUGEINT AS pool
    FROM segments g JOIN used u USING (tenant, s)
),
overages AS (
    SELECT tenant, q, price, greatest(0, c - pool) - greatest(0, c - q - pool) AS over FROM pooled
),
usage_amounts AS (
    SELECT tenant, sum(q) AS quantity, sum(over) AS over, sum(CASE WHEN price IS NULL THEN 0 ELSE over END) AS billed,
           sum(CASE WHEN price IS NULL THEN 0 ELSE (2 * over * price + 1000000000000) // 2000000000000 END) AS amount
    FROM overages GROUP BY tenant
)
SELECT tenant, any_value(currency) AS currency,
       ((SELECT sum(amount) FROM fees f WHERE f.tenant = g.tenant)
        + (SELECT amount FROM usage_amounts a WHERE a.tenant = g.tenant))::BIGINT AS total_minor,
       (SELECT quantity FROM usage_amounts a WHERE a.tenant = g.tenant)::VARCHAR AS quantity_micro,
       (SELECT billed FROM usage_amounts a WHERE a.tenant = g.tenant)::VARCHAR AS overage_micro
FROM segments g GROUP BY tenant ORDER BY tenant
