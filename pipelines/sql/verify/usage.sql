-- Computes every line of this month's invoices again from usage, prices and subscriptions, and lists
-- what differs from the invoices: nothing, if nobody has changed a file. Run it in this folder:
--     duckdb < verify.sql
--     python -c "import duckdb; print(duckdb.execute(open('verify.sql').read()).fetchall())"
-- README.md says what each file holds. All arithmetic is in integers: 1e-6 units, 1e-12 of a currency
-- unit, minor units.

-- 1. What usage costs.
CREATE SCHEMA of_usage;
USE of_usage;
CREATE VIEW segments AS
SELECT *, phase = 'trial' AS is_trial
FROM 'subscriptions.parquet'
WHERE phase <> 'paused';
CREATE VIEW usage AS
SELECT tenant, meter, segment, value, quantity_micro, events
FROM 'usage.parquet';
CREATE VIEW cards AS FROM 'cards.parquet';
CREATE VIEW policies AS FROM 'policies.parquet';
CREATE TABLE prices AS FROM 'prices.parquet';
CREATE VIEW matrix_prices AS FROM 'matrix_prices.parquet';
CREATE VIEW divisors AS FROM 'divisors.parquet';
