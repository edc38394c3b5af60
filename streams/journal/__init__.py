"""A partition's durable state in the log: read when it is taken over, written in transactions."""
