"""A clock that a test can move, because periods, retries and horizons last days."""

import time
from collections.abc import Callable


class Clock:
    """The machine's time plus an offset; it never runs backwards, for objects are ordered by when they were made."""

    def __init__(self, offset: int = 0, system: Callable[[], float] = time.time) -> None:
        self.offset = offset
        self._system = system
        self._last = 0

    def now(self) -> int:
        """Seconds since 1970 as the simulator tells them."""
        return int(self._system()) + self.offset

    def stamp(self) -> int:
        """Microseconds since 1970, each later than the one before, so that what is ordered by time has an order."""
        self._last = max(self._last + 1, int(self._system() * 1_000_000) + self.offset * 1_000_000)
        return self._last

    def advance(self, seconds: int) -> None:
        """Move forward."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self.offset += seconds

    def set(self, now: int) -> None:
        """Move forward to that time."""
        self.advance(now - self.now())
