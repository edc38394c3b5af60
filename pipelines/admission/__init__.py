"""Which usage is counted: one record after another for the counters, many at once for landing."""
