"""What is put right later: late usage, and invoices void, made again or credited."""
