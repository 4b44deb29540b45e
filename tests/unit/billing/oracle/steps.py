"""Periods, by trying one after the other."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tests.unit.billing.oracle.scenario import Interval, Recurrence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@lru_cache(maxsize=100_000)
def boundary(anchor: int, zone: str, recurrence: Recurrence, k: int) -> int:
    """Where period ``k`` starts."""
    if k == 0:
        return anchor  # nothing is added: also where the clock shows the anchor's hour twice
    local = (EPOCH + anchor * MILLISECOND).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    moved = _add(local, recurrence.interval, k * recurrence.count)
    # fold=0: the first of an hour that comes twice; in a gap, the offset before it, which moves forward by the gap
    return (moved.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC) - EPOCH) // MILLISECOND


def _add(local: datetime, interval: Interval, steps: int) -> datetime:
    if interval == "day":
        return local + timedelta(days=steps)
    if interval == "week":
        return local + timedelta(days=7 * steps)
    return _add_months(local, steps if interval == "month" else 12 * steps)


def _add_months(local: datetime, months: int) -> datetime:
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    for day in range(local.day, 0, -1):
        try:
            return local.replace(year=year, month=month + 1, day=day)
        except ValueError:  # the month is shorter
            continue
    raise AssertionError("a month has days")


def period_holding(anchor: int, zone: str, recurrence: Recurrence, moment: int) -> int:
    """Number of the period that holds a moment."""
    k = 0
    while boundary(anchor, zone, recurrence, k + 1) <= moment:
        k += 1
    while boundary(anchor, zone, recurrence, k) > moment:
        k -= 1
    return k
