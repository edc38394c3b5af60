"""Draft invoices, their documents, and a month's records as the ledger keeps them."""
