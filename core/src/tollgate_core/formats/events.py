"""Decide which events are worth parsing, and fold those into a reduction. Shared by the streaming parsers."""

from __future__ import annotations

import orjson

from tollgate_core.formats.base import UsageFormat
from tollgate_core.formats.narrow import is_object
from tollgate_core.formats.reduction import Reduction

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""An event, a line or a document beyond this is skipped, and `Reduction.oversize` says so."""

_PROBED = 8
_DONE = b"[DONE]"


class EventFolder:
    """Folds the events of one stream; JSON is only parsed where it can matter.

    The served model stands in every chunk, so it is no marker: it is read from the first events (at most 8; Azure's
    first has an empty model) and from any event that is parsed anyway.
    """

    __slots__ = ("_format", "_inert", "_plain", "_seen", "settled")

    def __init__(self, fmt: UsageFormat, seen: Reduction) -> None:
        self._format = fmt
        self._seen = seen
        searched = [marker for marker in fmt.markers if marker != _DONE]  # [DONE] is told by its first byte
        self._plain = tuple(marker for marker in searched if marker not in fmt.inert)
        self._inert = tuple((marker, fmt.inert[marker]) for marker in searched if marker in fmt.inert)
        self.settled = False
        """Whether objects without a marker can be skipped: the model is known, or not to be found."""

    def matters(self, data: bytes) -> bool:
        """Return whether some object in `data` holds a marker, other than in a spelling that says nothing."""
        for marker in self._plain:
            if data.find(marker) >= 0:
                return True
        for marker, inert in self._inert:
            at = data.find(marker)
            while at >= 0:
                behind = at + len(marker)
                if not data.startswith(inert, behind):
                    return True
                at = data.find(marker, behind)
        return False

    def skip_oversize(self) -> None:
        """Count one event that was too large to look at."""
        self._seen.oversize = True
        self._count()

    def fold(self, payload: bytes) -> None:
        """Count one event, and fold it if it matters. Malformed JSON is counted, and never raises."""
        if payload.strip() == _DONE:
            self._seen.terminal |= _DONE in self._format.markers
        elif not self.settled or self.matters(payload):
            self._parse(payload)
        self._count()

    def _count(self) -> None:
        seen = self._seen
        seen.events += 1
        if not self.settled:
            self.settled = seen.model is not None or seen.events >= _PROBED

    def _parse(self, payload: bytes) -> None:
        if not payload.strip():
            return
        try:
            event: object = orjson.loads(payload)
        except orjson.JSONDecodeError:
            self._seen.malformed += 1
            return
        if is_object(event):
            self._format.observe(event, self._seen)
