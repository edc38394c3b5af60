"""Where rows live: the warehouse (ClickHouse), the ledger (SQLite or Postgres), and how far the log reaches."""
