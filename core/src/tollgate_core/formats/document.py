"""A body that is one JSON document: an object, or an array of objects as Gemini streams without `alt=sse`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

import orjson

from tollgate_core.formats.base import UsageFormat
from tollgate_core.formats.events import MAX_EVENT_BYTES
from tollgate_core.formats.narrow import as_object, is_object
from tollgate_core.formats.reduction import Reduction


class DocumentParser:
    """Collects the body and parses it at its end."""

    __slots__ = ("_chunks", "_format", "_limit", "_seen", "_size")

    def __init__(self, fmt: UsageFormat, seen: Reduction, limit: int = MAX_EVENT_BYTES) -> None:
        self._format = fmt
        self._seen = seen
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._size += len(chunk)
        if self._size <= self._limit:
            self._chunks.append(chunk)
        else:
            self._seen.oversize = True
            self._chunks.clear()

    def close(self) -> None:
        """Parse the body. Of an array that was cut off, the whole objects at its front still count."""
        body = b"".join(self._chunks).strip().removeprefix(b"\xef\xbb\xbf")
        self._chunks.clear()
        if not body or self._seen.oversize:
            return
        try:
            document: object = orjson.loads(body)
        except orjson.JSONDecodeError:
            self._seen.malformed += 1
            for event in _whole_elements(body):
                self._observe(event)
            return
        if is_object(document):
            self._seen.events += 1
            self._format.observe_document(document, self._seen)
        elif isinstance(document, list):
            for event in cast("list[object]", document):
                self._observe(event)

    def _observe(self, event: object) -> None:
        self._seen.events += 1
        self._format.observe(as_object(event), self._seen)


def _whole_elements(body: bytes) -> Iterator[object]:
    """Yield the elements at the front of a JSON array that lacks its end."""
    text = body.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    position = 0
    while text[position : position + 1] == ("[" if position == 0 else ","):
        start = position + 1
        start += len(text[start : start + 64]) - len(text[start : start + 64].lstrip())
        try:
            element, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            return
        yield element
        position += len(text[position : position + 64]) - len(text[position : position + 64].lstrip())
