"""Periods anchored to a subscription's start, computed as ``anchor + k x interval`` and never iterated.

Iterating from 31 January drifts to the 28th; anchored addition gives 28 February, 31 March, 30 April. Calendar
arithmetic happens in the subscription's zone, storage in UTC; a period is half-open.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from whenever import Instant, PlainDateTime, ZonedDateTime

#: A boundary that the clock skips moves forward by the gap; one that comes twice is the first.
_CLOCK_CHANGES: Literal["compatible"] = "compatible"

Interval = Literal["day", "week", "month", "year"]


@dataclass(frozen=True)
class Recurrence:
    """Every ``count`` intervals, Stripe's ``interval`` and ``interval_count``."""

    interval: Interval
    count: int = 1


@dataclass(frozen=True)
class Period:
    """Half-open: ``start`` belongs to it, ``end`` does not. Both are aware and in UTC."""

    index: int
    start: datetime
    end: datetime


def _zoned(moment: datetime, zone: str) -> ZonedDateTime:
    return Instant(moment).to_tz(zone)  # pyright: ignore[reportUnknownMemberType]


def _boundary(anchor: ZonedDateTime, zone: str, recurrence: Recurrence, index: int) -> ZonedDateTime:
    """Added to what the clock shows: with its offset, a winter's anchor would take the second of an hour that comes
    twice. The anchor itself is a moment, and no clock's."""
    if index == 0:
        return anchor
    local = _later(anchor.to_plain(), recurrence, index)
    return local.assume_tz(zone, disambiguation=_CLOCK_CHANGES)  # pyright: ignore[reportUnknownMemberType]


def _later(local: PlainDateTime, recurrence: Recurrence, index: int) -> PlainDateTime:
    steps = index * recurrence.count
    match recurrence.interval:
        case "day":
            return local.add(days=steps)
        case "week":
            return local.add(weeks=steps)
        case "month":
            return local.add(months=steps)
        case "year":
            return local.add(years=steps)


_LONGEST_DAYS = {"day": 1.0, "week": 7.0, "month": 30.436875, "year": 365.2425}


def period_at(anchor: datetime, recurrence: Recurrence, moment: datetime, zone: str = "UTC") -> Period:
    """The period that holds ``moment``; index 0 begins at the anchor, negative ones lie before it."""
    start = _zoned(anchor, zone)
    days = (moment - anchor).total_seconds() / 86_400
    index = int(days // (_LONGEST_DAYS[recurrence.interval] * recurrence.count))
    target = Instant(moment)
    while _boundary(start, zone, recurrence, index).to_instant() > target:
        index -= 1
    while _boundary(start, zone, recurrence, index + 1).to_instant() <= target:
        index += 1
    return _period(start, zone, recurrence, index)


def period_number(anchor: datetime, recurrence: Recurrence, index: int, zone: str = "UTC") -> Period:
    """The period of an index, in one step from the anchor."""
    return _period(_zoned(anchor, zone), zone, recurrence, index)


def _period(anchor: ZonedDateTime, zone: str, recurrence: Recurrence, index: int) -> Period:
    first, after = (_boundary(anchor, zone, recurrence, k).to_instant() for k in (index, index + 1))
    return Period(index, first.to_stdlib(), after.to_stdlib())
