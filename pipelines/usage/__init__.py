"""A month's usage: what meters make of events, read as of a cut, and where it is going."""
