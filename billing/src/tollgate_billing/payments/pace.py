"""How fast a provider may be asked: as fast as it allows, and no faster. Whoever is told 429 has wasted a request, and
a row of the outbox waits for its next turn.

Of a limit per window a part is a burst that may come at once; the rest is spread, so that no window sees more.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """At most ``requests`` in any ``window_seconds``, of which ``burst`` may come at once."""

    requests: int
    window_seconds: float
    burst: int

    @property
    def gap_seconds(self) -> float:
        """Between two, when the burst is used up."""
        return self.window_seconds / (self.requests - self.burst)


class Bucket:
    """Pure but for what it remembers: ``reserve`` answers how long to wait for the turn that it gives."""

    def __init__(self, limit: Limit) -> None:
        self._gap = limit.gap_seconds
        self._ahead = limit.gap_seconds * (limit.burst - 1)
        self._next = float("-inf")

    def turn(self, now: float) -> float:
        """When the next one may go."""
        return max(now, self._next - self._ahead)

    def take(self, at: float) -> None:
        """One goes then."""
        self._next = max(self._next, at) + self._gap

    def hold(self, until: float) -> None:
        """Nobody goes before that."""
        self._next = max(self._next, until + self._ahead)


class Pace:
    """Several threads call it: ``wait`` returns when it is their turn. ``whole`` is the account's limit, ``endpoint``
    that of each of its endpoints."""

    def __init__(
        self,
        whole: Limit,
        endpoint: Limit | None,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._whole = Bucket(whole)
        self._limit = endpoint
        self._endpoints: dict[str, Bucket] = {}
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()

    def wait(self, endpoint: str) -> None:
        """Turns are given in the order in which they were asked for."""
        with self._lock:
            now = self._clock()
            buckets = self._buckets(endpoint)
            at = max(bucket.turn(now) for bucket in buckets)
            for bucket in buckets:
                bucket.take(at)
        if at > now:
            self._sleep(at - now)

    def hold(self, seconds: float) -> None:
        """The provider has said that it was too much, whoever else uses its limit."""
        with self._lock:
            self._whole.hold(self._clock() + seconds)

    def _buckets(self, endpoint: str) -> Sequence[Bucket]:
        if self._limit is None:
            return (self._whole,)
        return self._whole, self._endpoints.setdefault(endpoint, Bucket(self._limit))


#: What providers allow, less what clocks may differ by. Stripe: 100 a second, 25 of each endpoint. Paddle: 240 a
#: minute.
LIMITS: Mapping[str, tuple[Limit, Limit | None]] = {
    "stripe": (Limit(99, 1, 3), Limit(24, 1, 1)),
    "paddle": (Limit(238, 60, 8), None),
}
