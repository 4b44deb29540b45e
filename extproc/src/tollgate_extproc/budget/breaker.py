"""Programs that were stopped again and again are refused for a while, instead of burning a worker each time."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_STOPS = 3
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 5.0, 60.0
_KEPT = 4096


@dataclass
class _Record:
    size: int
    stops: int = 0
    until: float = 0.0


class Breaker:
    """Only inputs at least as large as one that was stopped are refused: a caller who sends huge bodies must not take
    the program from those who send small ones."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def refuses(self, program: str, size: int) -> bool:
        """Whether not to try. After the pause one evaluation is let through at a time."""
        record = self._records.get(program)
        if record is None or size < record.size or record.stops < _STOPS:
            return False
        now = self._clock()
        if now < record.until:
            return True
        record.until = now + _PAUSE_SECONDS
        return False

    def stopped(self, program: str, size: int) -> None:
        """It took too much."""
        record = self._records.setdefault(program, _Record(size))
        record.size, record.stops = min(record.size, size), record.stops + 1
        doubled = min(_PAUSE_SECONDS * 2.0 ** max(0, min(record.stops, 20) - _STOPS), _LONGEST_PAUSE_SECONDS)
        record.until = self._clock() + doubled
        self._records.move_to_end(program)
        while len(self._records) > _KEPT:
            self._records.popitem(last=False)

    def finished(self, program: str, size: int) -> None:
        """It came to an end within its budget."""
        record = self._records.get(program)
        if record is not None and size >= record.size:
            del self._records[program]
