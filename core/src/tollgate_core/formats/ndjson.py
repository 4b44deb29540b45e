"""Newline-delimited JSON: one object a line, as Ollama streams it. Blank lines are no events."""

from __future__ import annotations

from tollgate_core.formats.base import UsageFormat
from tollgate_core.formats.events import MAX_EVENT_BYTES, EventFolder
from tollgate_core.formats.reduction import Reduction

_END = b"\n"


class NDJSONParser:
    """Parses one `application/x-ndjson` body."""

    __slots__ = ("_buffer", "_events", "_limit", "_seen", "_skipping")

    def __init__(self, fmt: UsageFormat, seen: Reduction, limit: int = MAX_EVENT_BYTES) -> None:
        self._events = EventFolder(fmt, seen)
        self._seen = seen
        self._limit = limit
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if self._events.settled and not self._buffer and len(chunk) <= self._limit:
            whole = _whole_lines(chunk)
            if whole and not self._events.matters(chunk):
                self._seen.events += whole
                return
        self._take(chunk)

    def close(self) -> None:
        """End the body. A last line without its newline is taken if it is whole: if it parses."""
        if self._skipping:
            self._events.skip_oversize()
        else:
            self._line(bytes(self._buffer))
        self._buffer.clear()
        self._skipping = False

    def _take(self, chunk: bytes) -> None:
        buffer = self._buffer
        searched = len(buffer)
        buffer += chunk
        start = 0
        while (end := buffer.find(_END, max(searched, start))) >= 0:
            self._dispatch(start, end)
            start = end + len(_END)
        del buffer[:start]
        if len(buffer) > self._limit or self._skipping:
            self._skipping = True
            buffer.clear()

    def _dispatch(self, start: int, end: int) -> None:
        if self._skipping or end - start > self._limit:
            self._skipping = False
            self._events.skip_oversize()
        else:
            self._line(bytes(self._buffer[start:end]))

    def _line(self, line: bytes) -> None:
        if line.strip():
            self._events.fold(line)


def _whole_lines(chunk: bytes) -> int:
    """Return how many lines `chunk` is made of if each is whole and starts an object; else 0."""
    lines = chunk.count(_END)
    if not (chunk.startswith(b"{") and chunk.endswith(b"}\n")):
        return 0
    return lines if chunk.count(b"\n{") == lines - 1 else 0
