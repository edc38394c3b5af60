"""A month's close: its cut and its slices, each replaced as a whole."""
