"""What processes tell of themselves: ready or not, metrics, lag."""
