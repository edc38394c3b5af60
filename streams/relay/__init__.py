"""The ledger's changes on their way to topics, and into the warehouse's copies."""
