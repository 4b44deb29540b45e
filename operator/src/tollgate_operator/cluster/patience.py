"""A status that somebody else undoes is put right at once, and if it is undone again and again, ever more rarely.

Another release that watches the same namespace has its own view, and two must not write for ever. Pure.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

_RAREST_SECONDS = 60.0


@dataclass(frozen=True)
class _Said:
    words: object
    times: int
    due: datetime


@dataclass
class Patience:
    """Of one writer."""

    _said: dict[str, _Said] = field(default_factory=dict[str, _Said])

    def allows(self, uid: str, words: object, now: datetime) -> bool:
        """Whether an object may be told these words now; if so, they count as said. New words always may."""
        before = self._said.get(uid)
        if before is None or before.words != words:
            self._said[uid] = _Said(words, 0, now)
            return True
        if now < before.due:
            return False
        times = before.times + 1
        self._said[uid] = _Said(words, times, now + timedelta(seconds=min(2.0**times, _RAREST_SECONDS)))
        return True

    def forget_all_but(self, uids: set[str]) -> None:
        """Objects that are gone."""
        for uid in self._said.keys() - uids:
            del self._said[uid]
