"""Adapters: one for each payment provider."""
