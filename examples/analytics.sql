-- Questions to the warehouse. Each statement runs by itself:
--   countinghouse sql "SELECT …"
-- or with any ClickHouse client at http://127.0.0.1:18123 (user countinghouse, password in
-- .countinghouse/warehouse.token). A condition on `time` or `day` reads those months alone.

-- Who used most tokens in October?
SELECT tenant, sum(quantity) AS tokens, count() AS requests
FROM usage
WHERE meter = 'tokens' AND time >= '2026-10-01 00:00:00' AND time < '2026-11-01 00:00:00'
GROUP BY tenant
ORDER BY tokens DESC
LIMIT 10;

-- Tokens by day and model.
SELECT day, model, sum(quantity) AS tokens, sum(events) AS requests
FROM usage_daily
WHERE meter = 'tokens' AND day >= '2026-10-01' AND day < '2026-11-01'
GROUP BY day, model
ORDER BY day, model;

-- Which share of each model's tokens is output?
SELECT
    model,
    sumIf(quantity, meter = 'output_tokens') AS output,
    sumIf(quantity, meter = 'tokens') AS tokens,
    round(100 * toFloat64(output) / toFloat64(tokens), 1) AS percent
FROM usage
WHERE time >= '2026-10-01 00:00:00' AND time < '2026-11-01 00:00:00'
GROUP BY model
ORDER BY tokens DESC;

-- What was billed, in minor units of each currency?
SELECT month, currency, state, count() AS invoices, sum(total_minor) AS total_minor
FROM invoices
GROUP BY month, currency, state
ORDER BY month, currency, state;

-- Revenue by plan and kind of line.
SELECT plan, kind, currency, sum(quantity) AS quantity, sum(amount_minor) AS amount_minor
FROM invoice_lines
WHERE month = '2026-10'
GROUP BY plan, kind, currency
ORDER BY plan, kind, currency;

-- Tax by its name and what it is on, on top of prices or within them.
SELECT month, name, product, currency, sum(tax_minor) AS tax_minor
FROM invoice_lines
WHERE kind = 'tax'
GROUP BY month, name, product, currency
ORDER BY month, name, product, currency;

-- Usage that no invoice holds, and why.
SELECT reason, tenant, meter, sum(quantity) AS quantity, count() AS events
FROM unpriced_usage
WHERE time >= '2026-10-01 00:00:00' AND time < '2026-11-01 00:00:00'
GROUP BY reason, tenant, meter
ORDER BY quantity DESC
LIMIT 20;

-- What was not counted, by reason; `detail` says what to change.
SELECT reason, count() AS elements, any(detail) AS example
FROM rejected_usage
GROUP BY reason
ORDER BY elements DESC;

-- Events that came again with another content: the first one counts.
SELECT tenant, source, id, deliveries, first_quantities, last_quantities
FROM conflicts
ORDER BY last_arrived DESC
LIMIT 20;

-- How long was usage on its way, from the producer to the broker?
SELECT
    toStartOfHour(arrived) AS hour,
    quantile(0.5)(date_diff('millisecond', sent, arrived)) AS p50_ms,
    quantile(0.99)(date_diff('millisecond', sent, arrived)) AS p99_ms
FROM usage_events
WHERE sent IS NOT NULL
GROUP BY hour
ORDER BY hour;
