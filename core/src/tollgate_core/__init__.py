"""The contracts between Tollgate's components, and the pure domain.

Here live manifests, the catalog snapshot, usage formats, expressions, money, periods, the usage event and the Redis
contract. No I/O: nothing here opens a file, a socket or a clock.
"""
