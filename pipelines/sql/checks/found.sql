-- Each invoice beside what its lines come to and what its document says.
-- Tables: heads; invoice_lines, documents, whose `invoice` is a head's place. A document's `ending` may
-- begin within a letter.
CREATE TABLE found AS
WITH
summed AS (
    SELECT
        invoice,
        sum(amount_minor)::BIGINT AS total_minor,
        bool_or(kind = 'credited') AS is_credit
    FROM invoice_lines
    GROUP BY invoice
),
stated AS (
    SELECT
        documents.invoice,
        -- To look whether the total is in the text is quicker than to take out what is.
        CASE
            WHEN contains(TRY(decode(documents.ending)), concat('"total_minor":', heads.total_minor, ','))
                OR contains(decode(document), concat('"total_minor":', heads.total_minor, ','))
                THEN heads.total_minor
            ELSE try_cast(
                regexp_extract(decode(document), '"total_minor":(-?[0-9]+)', 1) AS BIGINT
            )
        END AS total_minor
    FROM documents
    JOIN heads ON heads.place = documents.invoice
)
SELECT
    heads.place,
    heads.id,
    heads.currency,
    heads.state = 'void' AS is_void,
    heads.total_minor,
    coalesce(summed.total_minor, 0) AS sum_minor,
    stated.total_minor AS stated_minor,
    -- Made after the close: in place of a void one (schemas.invoice.REMADE), or as a credit note by
    -- hand.
    coalesce(summed.is_credit, false) OR regexp_matches(heads.id, '#[0-9]+$') AS is_later
FROM heads
LEFT JOIN summed ON summed.invoice = heads.place
LEFT JOIN stated ON stated.invoice = heads.place
