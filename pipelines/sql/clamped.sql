-- A quantity, or the nearest that 64 bits say; schemas.quantity.clamped is the specification.
CREATE MACRO clamped(micro) AS
    CASE
        WHEN micro > 9223372036854775807 THEN 9223372036854775807
        WHEN micro < -9223372036854775807 THEN -9223372036854775807
        ELSE micro
    END::BIGINT
