"""Following the catalog: what the manifests declare, taken over into SQL.

Here live the poll of the catalog in Redis and the catalog that is current in this process. What a catalog means for
prices and subscriptions is the ledger's to store; the catalog itself is the operator's to make.
"""
