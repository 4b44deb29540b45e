"""Periods of a subscription in milliseconds, and how aggregation periods lie in a billing period."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tollgate_core.periods import Period, Recurrence, period_at, period_number

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
#: Dates end at the years 1 and 9999, and a period may have a thousand years: between these every one can be computed.
FIRST_MOMENT, LAST_MOMENT = _EPOCH, datetime(9000, 1, 1, tzinfo=UTC)
COUNTABLE = f"must be between the years {FIRST_MOMENT.year} and {LAST_MOMENT.year}"


def countable(milliseconds: int) -> bool:
    """Whether periods around a moment can be computed."""
    return FIRST_MOMENT.timestamp() <= milliseconds / 1000 < LAST_MOMENT.timestamp()


@dataclass(frozen=True, order=True)
class Span:
    """Half-open, milliseconds since 1970."""

    start_ms: int
    end_ms: int

    def overlaps(self, start_ms: int, end_ms: int | None) -> bool:
        """Whether any moment is in both; None is the end of time."""
        return self.end_ms > start_ms and (end_ms is None or self.start_ms < end_ms)

    def covered(self, start_ms: int, end_ms: int | None) -> int:
        """Milliseconds in both."""
        last = self.end_ms if end_ms is None else min(self.end_ms, end_ms)
        return max(0, last - max(self.start_ms, start_ms))


@dataclass(frozen=True)
class Calendar:
    """All periods are counted from ``anchor_ms`` on the calendar of an IANA ``zone``."""

    anchor_ms: int
    zone: str = "UTC"

    def at(self, recurrence: Recurrence, moment_ms: int) -> Span:
        """The period that holds a moment."""
        return _span(self._at(recurrence, moment_ms))

    def between(self, recurrence: Recurrence, start_ms: int, end_ms: int) -> Iterator[Span]:
        """Every period that shares a moment with ``[start_ms, end_ms)``, in order."""
        if start_ms >= end_ms:
            return
        period = self._at(recurrence, start_ms)
        while (span := _span(period)).start_ms < end_ms:
            yield span
            period = period_number(_moment(self.anchor_ms), recurrence, period.index + 1, self.zone)

    def within(self, recurrence: Recurrence, span: Span) -> tuple[Span, ...]:
        """The periods of which a longer one is made."""
        return tuple(self.between(recurrence, span.start_ms, span.end_ms))

    def _at(self, recurrence: Recurrence, moment_ms: int) -> Period:
        return period_at(_moment(self.anchor_ms), recurrence, _moment(moment_ms), self.zone)


def divides(aggregation: Recurrence, billing: Recurrence) -> bool:
    """Whether every billing period is made of whole aggregation periods, wherever it begins."""
    if aggregation.interval == billing.interval:
        return billing.count % aggregation.count == 0
    match aggregation.interval, billing.interval:
        case "day", "week":
            return (7 * billing.count) % aggregation.count == 0
        case "month", "year":
            return (12 * billing.count) % aggregation.count == 0
        case "day", "month" | "year":
            return aggregation.count == 1
        case _:
            return False


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _span(period: Period) -> Span:
    return Span((period.start - _EPOCH) // _MILLISECOND, (period.end - _EPOCH) // _MILLISECOND)
