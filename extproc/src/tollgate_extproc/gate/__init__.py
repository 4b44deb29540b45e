"""Admission, fail-closed: who calls, whether it is granted, whether limits allow it; then what goes up.

``request``, ``credentials``, ``transform``, ``limits`` and ``denial`` are pure; ``subscriptions`` and ``service`` act.
"""
