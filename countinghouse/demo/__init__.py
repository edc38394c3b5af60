"""The demo: a month of real usage, the whole way from Kafka to paid invoices, and its report."""
