"""A closed month as files from which a stranger computes its lines again."""
