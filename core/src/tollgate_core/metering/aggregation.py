"""What one call adds to a metric, by how its calls add up."""

import hashlib
from decimal import Decimal

from tollgate_core.catalog import Aggregation
from tollgate_core.quantity import MAX_MICROS, from_micros, to_decimal

_ONE = Decimal(1)


def call_quantity(aggregation: Aggregation, value: object) -> Decimal:
    """From what the metric's expression gave. ``count`` counts the call whatever it gave. ``unique`` also takes texts,
    such as a user's id: they become numbers that say nothing of the text (63 bits of its SHA-256). Raises QuantityError
    for what is not a number ≥ 0."""
    if aggregation == "count":
        return _ONE
    if aggregation == "unique" and isinstance(value, str):
        digest = hashlib.sha256(value.encode()).digest()
        return from_micros(int.from_bytes(digest[:8]) % MAX_MICROS)
    return to_decimal(value)


def combine(aggregation: Aggregation, earlier: Decimal | None, more: Decimal) -> Decimal:
    """Of two rules of one metric that both apply to a call: quantities add up, a call is still one call."""
    if aggregation != "sum" or earlier is None:
        return more
    return earlier + more
