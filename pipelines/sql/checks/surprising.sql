-- Invoices whose total is far from that of the month before, in their order.
-- Tables: now, before; $factor, $minor.
WITH
both_months AS (
    SELECT
        now.place,
        now.tenant,
        now.currency,
        now.total_minor,
        before.total_minor AS before_minor,
        greatest(abs(now.total_minor), abs(before.total_minor))::HUGEINT AS large,
        least(abs(now.total_minor), abs(before.total_minor))::HUGEINT AS small
    FROM now
    JOIN before USING (subscription, currency)
    WHERE now.kind = 'invoice' AND before.kind = 'invoice'
)
SELECT tenant, currency, total_minor, before_minor
FROM both_months
WHERE large > $factor * small AND large - small > $minor
ORDER BY place
