"""Fees and usage lines: the specification in plain integers, and for all tenants at once."""
