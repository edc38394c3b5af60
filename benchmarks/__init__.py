"""Speed and memory, each figure beside an alternative run in the same command; never a test."""
