"""What decides what a subscription owes: its periods, the price versions that it pinned, and its usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from tollgate_core.catalog import Price
from tollgate_core.pricing.calendar import Calendar, Span


@dataclass(frozen=True)
class Pin:
    """The subscription has this price version, with so many seats, in ``[since_ms, until_ms)``."""

    price: Price
    since_ms: int
    until_ms: int | None = None
    seats: int = 1


@dataclass(frozen=True)
class Account:
    """What of a subscription decides what it owes."""

    calendar: Calendar
    pins: tuple[Pin, ...]


class UsageReader(Protocol):
    """What the ledger knows of one subscription."""

    def quantities(self, price: Price, spans: Sequence[Span]) -> Sequence[Fraction]:
        """The units that a price version charges in each half-open time, aggregated as the version says."""
        ...
