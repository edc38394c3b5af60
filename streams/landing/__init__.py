"""Usage and counters into the warehouse, every event exactly once; rejects to their topic."""
