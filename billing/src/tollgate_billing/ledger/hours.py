"""Sums of usage by the hour: written with the postings, and read instead of them wherever whole hours are asked for."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from tollgate_billing.ledger.tables import usage_hours

HOUR_MS = 3_600_000
HALF = 10**9
_Key = tuple[str, int, str, str, str]


@dataclass
class _Sum:
    high: int = 0
    low: int = 0
    weight: int = 0
    first_ms: int = 2**62


def add_to_hours(connection: Connection, postings: Iterable[dict[str, Any]]) -> None:
    """What these rows of ``postings`` change. In the order of the keys: two transactions never wait for each other."""
    sums: defaultdict[_Key, _Sum] = defaultdict(_Sum)
    for row in postings:
        if row["subscription"] is None:
            continue
        at_ms = row["at_ms"]
        key = (row["subscription"], at_ms - at_ms % HOUR_MS, row["account"], row["commodity"], row["quality"])
        total = sums[key]
        total.high += row["amount_micros"] // HALF
        total.low += row["amount_micros"] % HALF
        total.weight += row["weight"]
        total.first_ms = min(total.first_ms, at_ms)
    if not sums:
        return
    names = ("subscription", "hour_ms", "account", "commodity", "quality")
    rows = [dict(zip(names, key, strict=True)) | vars(total) for key, total in sorted(sums.items())]
    # Both dialects write it alike; each has its own class for it.
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(usage_hours)
    h, new = usage_hours.c, insert.excluded
    added = {name: h[name] + new[name] for name in ("high", "low", "weight")}
    connection.execute(insert.on_conflict_do_update(index_elements=names, set_=added), rows)
