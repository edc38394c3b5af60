"""What follows on an invoice from its fee and usage lines, as a specification in plain integers.

The order is fixed: add-ons and one-off items, maximum, minimum, discounts, tax, prepaid credits.
`invoice.adjust` is the whole, each rule has a file, and `bulk` must equal them for all tenants.
"""
