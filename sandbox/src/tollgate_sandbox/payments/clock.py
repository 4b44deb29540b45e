"""A clock that a test can move, because periods, retries and horizons last days."""

import time
from collections.abc import Callable


class Clock:
    """The machine's time plus an offset; it never runs backwards, for objects are ordered by when they were made."""

    def __init__(self, offset: int = 0, system: Callable[[], float] = time.time) -> None:
        self.offset = offset
        self._system = system

    def now(self) -> int:
        """Seconds since 1970 as the simulator tells them."""
        return int(self._system()) + self.offset

    def advance(self, seconds: int) -> None:
        """Move forward."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self.offset += seconds

    def set(self, now: int) -> None:
        """Move forward to that time."""
        self.advance(now - self.now())
