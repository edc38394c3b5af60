"""The life of a subscription: each command on it, its timeline of plans."""
