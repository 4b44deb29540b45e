"""Billing: the ledger of usage events, rating, API keys, and the provider's and customers' HTTP APIs.

Here live SQL, what Redis is filled with from SQL, and prices turned into amounts. No knowledge of Envoy, of Kubernetes
or of how a response is metered: usage arrives as events on the Redis streams, products and prices as the catalog.
"""
