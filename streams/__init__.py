"""What happens per event: counters, landing, dead letters, the relay of the ledger's changes."""
