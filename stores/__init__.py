"""Where rows live: the warehouse, the ledger, and how far the log reaches."""
