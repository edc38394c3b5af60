"""Attempts to collect, and what providers say of them."""
