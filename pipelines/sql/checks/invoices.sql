-- Each invoice beside what the ledger's lines make of it and what its document says.
-- Tables: heads, read_lines, expected (from expected.sql), documents.
CREATE TABLE found AS
WITH
summed AS (
    SELECT
        place,
        count(*) AS lines,
        bit_xor(mark) AS marks,
        sum(amount_minor) AS total_minor,
        bool_or(is_credited) AS is_credit
    FROM read_lines
    GROUP BY place
),
stated AS (
    SELECT
        invoice,
        try_cast(
            regexp_extract(decode(document), '"total_minor":(-?[0-9]+)', 1) AS BIGINT
        ) AS total_minor
    FROM documents
)
SELECT
    heads.place,
    heads.id,
    heads.currency,
    heads.state = 'void' AS is_void,
    heads.total_minor,
    coalesce(summed.total_minor, 0)::BIGINT AS sum_minor,
    stated.total_minor AS stated_minor,
    -- Made after the close: in place of a void one, or as a credit note by hand.
    coalesce(summed.is_credit, false) OR contains(heads.id, '#') AS is_later,
    expected.invoice IS NOT NULL AS is_expected,
    coalesce(summed.lines, 0) = coalesce(expected.lines, 0)
    AND summed.marks IS NOT DISTINCT FROM expected.marks AS is_same
FROM heads
LEFT JOIN summed USING (place)
LEFT JOIN expected ON expected.invoice = heads.id
LEFT JOIN stated ON stated.invoice = heads.id
