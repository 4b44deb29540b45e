"""Admission, fail-closed: who calls, whether it is granted, whether limits allow it; then what goes up.

``request``, ``credentials``, ``limits``, ``wallet``, ``standings`` and ``denial`` are pure; ``subscriptions``,
``deciding`` and ``service`` act. ``bidding`` and ``clamping`` only ask for expressions to be evaluated.
"""
