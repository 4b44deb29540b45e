"""Requests in a window of time, counted as providers do: over the whole account and per endpoint."""

from collections import Counter


class Rates:
    """Counts within the current window; a limit of 0 means none."""

    def __init__(self, account: int = 0, endpoint: int = 0, window: int = 1) -> None:
        self.account = account
        self.endpoint = endpoint
        self.window = window
        self._current = 0
        self._counts: Counter[str] = Counter()

    def limit(self, account: int, endpoint: int) -> None:
        """From now on; what was counted before does not matter."""
        self.account, self.endpoint = account, endpoint
        self._counts.clear()

    def allow(self, endpoint: str, second: int) -> bool:
        """Count a request, and tell whether it is within the limits."""
        if second // self.window != self._current:
            self._current = second // self.window
            self._counts.clear()
        self._counts[endpoint] += 1
        over_all = self.account and self._counts.total() > self.account
        return not (over_all or (self.endpoint and self._counts[endpoint] > self.endpoint))

    def seconds_left(self, second: int) -> int:
        """Until the counts begin anew."""
        return self.window - second % self.window
