-- 2. What plans cost: fees by the month, in arrears, by the second; other_fees.parquet has the rest.
CREATE SCHEMA of_fees;
USE of_fees;
CREATE VIEW segments AS
SELECT *, phase = 'trial' AS is_trial
FROM 'subscriptions.parquet'
WHERE phase <> 'paused' AND has_usual_fees;
CREATE VIEW fees AS FROM 'fees.parquet';
