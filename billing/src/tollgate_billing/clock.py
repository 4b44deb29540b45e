"""The clock, as a port: real in production, a fake in tests."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], int]
"""Milliseconds since 1970."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def system_clock() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


def to_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, without a detour over floats."""
    return (moment - _EPOCH) // _MILLISECOND


def to_datetime(milliseconds: int) -> datetime:
    """The moment, aware and in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970. Raises ValueError for what is no moment with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return to_milliseconds(moment)
