-- What price lists say, as tables of the engine's own: it knows their smallest and greatest numbers,
-- and finds a row by its number alone. Tables: offered_rates, offered_pieces.
CREATE TABLE rates AS
SELECT first_rate + meter AS rate, * EXCLUDE (first_rate)
FROM offered_rates;

CREATE TABLE pieces AS
SELECT first_rate + meter AS rate, * EXCLUDE (catalog_version, plan, currency, meter, first_rate)
    REPLACE (flat::HUGEINT AS flat)
FROM offered_pieces
