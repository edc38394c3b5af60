"""How usage becomes money: admission, rating, proration, invoicing, reconciliation, collection.

Pure functions and use cases; stores, providers and the clock are arguments. Each package here may
import those that `LAYERS` of the architecture test has below it, and no other.
"""
