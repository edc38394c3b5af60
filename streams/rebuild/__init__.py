"""Counters and meters made again from stored usage."""
