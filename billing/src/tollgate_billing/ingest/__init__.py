"""From the Redis streams to the ledger, exactly once.

The order is the guarantee: read, commit to SQL, then confirm. Whatever dies in between is delivered again, and the
ledger knows each event by its id. Here live the streams' protocol and the loop; what an event means is the ledger's.
"""
