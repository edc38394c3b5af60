-- Minor units of so many divisor-ths, rounded once, half away from zero: a credit is the charge of its size,
-- negated. Of more than a line says it is the most: schemas.money.at_most is the specification.
CREATE MACRO rounded(amount, divisor) AS
    sign(amount)::HUGEINT
    * least((abs(amount)::HUGEINT + divisor // 2) // divisor::HUGEINT, 1000000000000000)
