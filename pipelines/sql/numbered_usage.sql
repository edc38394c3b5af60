-- Usage by numbers, and whose of it is rated the long way. Tables: raw_usage, named, meters,
-- matrix_prices; one_plan and several are the subscriptions, see pipelines.coding.
CREATE TABLE uses AS
SELECT
    named.subscription AS tenant,
    meters.meter,
    raw_usage.segment,
    raw_usage.value,
    raw_usage.quantity_micro
FROM raw_usage
JOIN named USING (tenant)
JOIN meters ON meters.name = raw_usage.meter;

-- Where values are told apart there is more to a meter than one quantity.
CREATE TABLE valued AS
SELECT DISTINCT tenant
FROM uses
WHERE value <> '' OR meter IN (SELECT meter FROM matrix_prices);

CREATE VIEW plain AS
SELECT *
FROM one_plan
WHERE subscription NOT IN (SELECT tenant FROM valued);

CREATE VIEW segments AS
SELECT *
FROM several
UNION ALL BY NAME
SELECT
    subscription AS tenant,
    * EXCLUDE (period_start_ms, period_end_ms),
    period_start_ms AS starts_ms,
    period_end_ms AS ends_ms,
    false AS is_trial,
    period_start_ms,
    period_end_ms
FROM one_plan
WHERE subscription IN (SELECT tenant FROM valued);

CREATE VIEW usage AS
SELECT *
FROM uses
WHERE tenant IN (SELECT tenant FROM segments)
