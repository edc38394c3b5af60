"""An invoice line by line, down to the events behind it."""
