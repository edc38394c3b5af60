"""The warehouse: every delivery of usage, what meters made of it, and copies for analytics."""
