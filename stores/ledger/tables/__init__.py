"""The tables of the ledger: names, keys and indexes; no statement."""
