"""Closing a month, for good, without writing, or once more to compare."""
