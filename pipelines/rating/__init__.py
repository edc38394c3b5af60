"""Fees, usage lines and what is included: specified in plain integers, and for all at once."""
