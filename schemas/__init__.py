"""What things are: events, meters, plans, quotas, invoices, payments, money, periods.

Pure values and the ports that a use case needs; no network, clock, files or environment.
"""
