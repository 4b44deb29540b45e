"""Stripe: we rate, Stripe invoices, taxes and collects. One invoice for each statement, one item for each line."""
