-- What the ledger's lines make of their invoices: how many lines, and the marks of all of them.
-- Table: invoice_lines.
INSERT INTO expected
SELECT invoice, count(*), bit_xor(mark(invoice_lines))
FROM invoice_lines
GROUP BY invoice
