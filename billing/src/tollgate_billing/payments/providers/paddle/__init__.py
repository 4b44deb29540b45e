"""Paddle Billing, the merchant of record."""
