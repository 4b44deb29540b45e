"""What the oracle is asked, and what it answers. Moments are milliseconds since 1970, amounts are fractions."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Interval = Literal["day", "week", "month", "year"]
Model = Literal["flat", "standard", "package", "graduated", "volume"]
Aggregation = Literal["sum", "count", "max", "last", "unique"]


@dataclass(frozen=True)
class Recurrence:
    """Every ``count`` intervals."""

    interval: Interval
    count: int = 1


@dataclass(frozen=True)
class Tier:
    """``up_to`` is None in the last tier."""

    up_to: Fraction | None
    amount: Fraction
    flat_amount: Fraction = Fraction(0)


@dataclass(frozen=True)
class Terms:
    """What one version of one price says."""

    price: str
    version: str
    model: Model
    billing: Recurrence
    aggregation_period: Recurrence
    metric: str = ""
    aggregation: Aggregation = "sum"
    amount: Fraction = Fraction(0)
    per: Fraction = Fraction(1)
    included: Fraction = Fraction(0)
    tiers: tuple[Tier, ...] = ()
    trial_units: Fraction = Fraction(0)
    in_advance: bool = True
    one_off: bool = False


@dataclass(frozen=True)
class Pin:
    """A version applies in ``[since, until)``; ``until`` None is without end."""

    price: str
    version: str
    since: int
    until: int | None = None
    seats: int = 1

    def holds(self, moment: int) -> bool:
        """Whether the version applies at a moment."""
        return self.since <= moment and (self.until is None or moment < self.until)

    def overlap(self, start: int, end: int) -> int:
        """For how many milliseconds of ``[start, end)`` it applies."""
        until = end if self.until is None else min(self.until, end)
        return max(0, until - max(self.since, start))


@dataclass(frozen=True)
class Event:
    """Units of the metric of ``price``; the pin that holds at ``time`` says which version charges them."""

    id: str
    time: int
    price: str
    quantity: Fraction


@dataclass(frozen=True)
class Closing:
    """A statement is made at ``moment``, when these pins and events are known."""

    moment: int
    pins: tuple[Pin, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Scenario:
    """The life of a subscription. ``decimals`` are those of its currency's minor unit."""

    zone: str
    start: int
    anchor: int
    decimals: int
    terms: tuple[Terms, ...]
    closings: tuple[Closing, ...]

    def terms_of(self, pin: Pin) -> Terms:
        """What the pinned version says."""
        return next(terms for terms in self.terms if (terms.price, terms.version) == (pin.price, pin.version))


@dataclass(frozen=True)
class Line:
    """One line of a statement."""

    metric: str
    price: str
    version: str
    start: int
    end: int
    quantity: Fraction
    exact: Fraction
    minor: int
    adjustment: bool
