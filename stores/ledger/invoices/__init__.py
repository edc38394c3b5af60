"""Invoices from draft to finalized, looked at, corrected, and counted for people."""
