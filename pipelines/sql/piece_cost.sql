-- Minor units for a quantity, in 1e-6 units, within a piece of a price; `pipelines.rating.price_pieces` says
-- what a piece is. Nothing beyond a pool is negative, so rounding half away from zero is half up; and no line
-- says more than schemas.money.MOST_MINOR.
CREATE MACRO minor_of(piece, q) AS
CASE
    -- 64 bits are proven to be enough; a CASE computes only what it takes.
    WHEN q <= piece.safe_micro
        THEN least(
            (
                2 * (
                    piece.flat::BIGINT
                    + (q - piece.origin_micro + piece.per_micro - 1) // piece.per_micro * piece.unit
                )
                + piece.divisor
            ) // (2 * piece.divisor),
            1000000000000000
        )
    ELSE least(
        (
            -- Not twice as much: of the dearest price that would be more than 128 bits.
            piece.flat
            + (q::HUGEINT - piece.origin_micro + piece.per_micro - 1) // piece.per_micro * piece.unit
            + piece.divisor // 2
        ) // piece.divisor::HUGEINT,
        1000000000000000
    )::BIGINT
END
;

-- The same before it is rounded, of a HUGEINT: so many of the piece's divisor-ths of a minor unit.
CREATE MACRO cost_of(piece, q) AS
    piece.flat + (q - piece.origin_micro + piece.per_micro - 1) // piece.per_micro * piece.unit
