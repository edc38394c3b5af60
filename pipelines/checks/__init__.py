"""What must hold before money moves: counter = warehouse = invoice, sums and prices."""
