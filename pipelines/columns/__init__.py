"""Working in columns: Arrow tables, and DuckDB within this process."""
