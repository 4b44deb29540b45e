"""How events become bytes: server-sent events, newline-delimited JSON, or one long JSON array."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.script import Script


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is a string only for markers that are not JSON, such as [DONE]."""

    data: Json | str
    name: str | None = None


class Framing(Protocol):
    """A way to write a sequence of events."""

    content_type: str

    def frames(self, events: Sequence[Event]) -> list[bytes]:
        """The bytes of each event, which together are the whole body."""
        ...

    def malformed(self) -> bytes:
        """An event whose data is not JSON."""
        ...

    def comment(self) -> bytes:
        """Bytes that a reader must skip; empty where the format has none."""
        ...


class Sse:
    """Server-sent events."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, *, crlf: bool, multi_line: bool) -> None:
        self._end = b"\r\n" if crlf else b"\n"
        self._multi_line = multi_line

    def frames(self, events: Sequence[Event]) -> list[bytes]:
        return [self._frame(event) for event in events]

    def _frame(self, event: Event) -> bytes:
        raw = event.data.encode() if isinstance(event.data, str) else dumps(event.data, lines=self._multi_line)
        head = [b"event: " + event.name.encode()] if event.name else []
        lines = [*head, *(b"data: " + line for line in raw.split(b"\n"))]
        return self._end.join(lines) + self._end * 2

    def malformed(self) -> bytes:
        return b"data: {not json" + self._end * 2

    def comment(self) -> bytes:
        return b": keep-alive" + self._end * 2


class Ndjson:
    """One JSON object per line."""

    content_type = "application/x-ndjson"

    def frames(self, events: Sequence[Event]) -> list[bytes]:
        return [dumps(event.data) + b"\n" for event in events]

    def malformed(self) -> bytes:
        return b"{not json\n"

    def comment(self) -> bytes:
        return b""


class JsonArray:
    """A JSON array whose elements arrive one by one."""

    content_type = "application/json; charset=UTF-8"

    def frames(self, events: Sequence[Event]) -> list[bytes]:
        last = len(events) - 1
        ends = (b"]\n" if at == last else b"" for at in range(len(events)))
        starts = (b",\r\n" if at else b"[" for at in range(len(events)))
        return [start + dumps(event.data) + end for start, event, end in zip(starts, events, ends, strict=True)]

    def malformed(self) -> bytes:
        return b",\r\n{not json"

    def comment(self) -> bytes:
        return b""


def framing_for(name: str, script: Script) -> Framing:
    """The framing a format asked for, as the script bends it."""
    if name == "ndjson":
        return Ndjson()
    if name == "array":
        return JsonArray()
    return Sse(crlf=script.crlf or name == "sse-crlf", multi_line=script.multi_line_data)
