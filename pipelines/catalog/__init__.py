"""A price list's file: read, merged, put in words, and compared with another."""
