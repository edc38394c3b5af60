-- Each invoice beside what its lines come to and what its document says, in their order.
-- Tables: heads, invoice_lines, documents.
CREATE TABLE found AS
WITH
summed AS (
    SELECT
        invoice,
        sum(amount_minor)::BIGINT AS total_minor,
        bool_or(kind = 'credited') AS is_credit
    FROM invoice_lines
    GROUP BY invoice
)
SELECT
    heads.id,
    heads.currency,
    heads.state = 'void' AS is_void,
    heads.total_minor,
    coalesce(summed.total_minor, 0) AS sum_minor,
    -- To look whether the total is in the text is quicker than to take out what is.
    CASE
        WHEN contains(decode(document), concat('"total_minor":', heads.total_minor, ','))
            THEN heads.total_minor
        ELSE try_cast(
            regexp_extract(decode(document), '"total_minor":(-?[0-9]+)', 1) AS BIGINT
        )
    END AS stated_minor,
    -- Made after the close: in place of a void one (schemas.invoice.REMADE), or as a credit note by
    -- hand.
    coalesce(summed.is_credit, false) OR regexp_matches(heads.id, '#[0-9]+$') AS is_later
FROM heads
LEFT JOIN summed ON summed.invoice = heads.id
LEFT JOIN documents ON documents.invoice = heads.id
