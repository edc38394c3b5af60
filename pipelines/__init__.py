"""How usage becomes money: admission, rating, proration, invoicing, reconciliation, collection.

Pure functions and use cases; stores, providers and the clock are arguments. Each package here
imports only those that `tests/test_architecture.py` has below it.
"""
