"""Server-sent events, by the WHATWG HTML standard, "Parsing an event stream": on bytes, in any split.

The common case, a chunk of whole events of which none matters, is settled by a few byte searches; nothing is split
into lines. Line ends are first made LF, so that an event ends at the next empty line: `\\n\\n`.
"""

from __future__ import annotations

from tollgate_core.formats.base import UsageFormat
from tollgate_core.formats.events import MAX_EVENT_BYTES, EventFolder
from tollgate_core.formats.reduction import Reduction

_BOM = b"\xef\xbb\xbf"
_END = b"\n\n"
_LF, _CR = 10, 13
_OBJECT_STARTS = (b"data: {", b"data:{")


class SSEParser:
    """Parses one `text/event-stream` body."""

    __slots__ = ("_at_start", "_buffer", "_events", "_limit", "_seen", "_skipping", "_swallow_lf")

    def __init__(self, fmt: UsageFormat, seen: Reduction, limit: int = MAX_EVENT_BYTES) -> None:
        self._events = EventFolder(fmt, seen)
        self._seen = seen
        self._limit = limit
        self._buffer = bytearray()
        self._at_start = True
        self._skipping = False
        self._swallow_lf = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if _CR in chunk or self._swallow_lf:
            chunk = self._to_lf(chunk)
        if self._events.settled and not self._buffer and len(chunk) <= self._limit:
            whole = _whole_events(chunk)
            if whole and not self._events.matters(chunk):
                self._seen.events += whole
                return
        self._take(chunk)

    def close(self) -> None:
        """End the body. By the standard, an event without its empty line is not dispatched."""
        self._seen.oversize |= self._skipping
        self._buffer.clear()
        self._skipping = False

    def _to_lf(self, chunk: bytes) -> bytes:
        """Turn CRLF and CR into LF. A CR at the end is turned at once, and an LF that follows it is dropped."""
        if self._swallow_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._swallow_lf = False
        if chunk.endswith(b"\r"):
            self._swallow_lf = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, chunk: bytes) -> None:
        """Dispatch every event that is complete, and keep the rest. Each byte is searched once."""
        buffer = self._buffer
        searched = max(len(buffer) - 1, 0)
        buffer += chunk
        start = 0
        while (end := buffer.find(_END, max(searched, start))) >= 0:
            self._dispatch(start, end)
            start = end + len(_END)
        del buffer[:start]
        if len(buffer) > self._limit + 1 or self._skipping:
            self._skipping = True
            del buffer[:-1]

    def _dispatch(self, start: int, end: int) -> None:
        if self._skipping or end - start > self._limit:
            self._skipping = False
            self._at_start = False
            self._events.skip_oversize()
            return
        block = bytes(self._buffer[start:end])
        if self._at_start:
            block = block.removeprefix(_BOM)
            self._at_start = False
        data = _data(block)
        if data is not None:
            self._events.fold(data)


def _whole_events(chunk: bytes) -> int:
    """Return how many events `chunk` is made of if each is whole and simple; else 0.

    Simple: one data line that starts an object, with at most an `event:` line before it.
    """
    events = at = 0
    while at < len(chunk):
        if not chunk.startswith(_OBJECT_STARTS, at):
            behind = chunk.find(_LF, at) + 1
            if not (chunk.startswith(b"event:", at) and chunk.startswith(_OBJECT_STARTS, behind)):
                return 0
            at = behind
        at = chunk.find(_LF, at) + 2
        if chunk[at - 2 : at] != _END:
            return 0
        events += 1
    return events


def _data(block: bytes) -> bytes | None:
    """Return the data of one event, its lines joined; None if it has none, which is no event."""
    if b"\n" not in block and block.startswith(b"data:"):
        return block[5:]
    lines = [line for line in block.split(b"\n") if line.startswith(b"data:") or line == b"data"]
    return b"\n".join(line[6:] if line.startswith(b"data: ") else line[5:] for line in lines) if lines else None
