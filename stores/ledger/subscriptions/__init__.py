"""Tenants, their subscriptions, and every change of these with its record."""
