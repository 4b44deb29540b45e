"""Whether what should go on, goes on. A process that answers probes may have stopped working all the same."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Liveness:
    """Parts say that they live, and for how long that holds. Safe to use from several threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._deadlines: dict[str, float] = {}

    def beat(self, part: str, seconds: float) -> None:
        """It lives, and says so again within so many seconds."""
        self._deadlines[part] = self._monotonic() + seconds

    def rest(self, part: str) -> None:
        """Nothing is expected of it."""
        self._deadlines.pop(part, None)

    @contextmanager
    def at_most(self, part: str, seconds: float) -> Generator[None]:
        """Work that takes no longer unless it is stuck."""
        self.beat(part, seconds)
        try:
            yield
        finally:
            self.rest(part)

    def problems(self) -> list[str]:
        """What is stuck or dead."""
        now = self._monotonic()
        late = [(part, now - due) for part, due in list(self._deadlines.items()) if due < now]
        return [f"{part}: no sign of life for {seconds:.0f} s longer than usual" for part, seconds in late]
