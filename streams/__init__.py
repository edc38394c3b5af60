"""What happens per event: counters, landing, dead letters, the relay of the ledger's changes.

Each package here imports only those that `tests/test_architecture.py` has below it.
"""
