"""Laptop mode: the whole system as processes of one machine, from a directory of manifests."""
