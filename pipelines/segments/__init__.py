"""How plans cut a billing period, and how much of it each part is."""
