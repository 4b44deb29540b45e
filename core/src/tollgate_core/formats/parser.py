"""Choose the incremental parser of a response body by its content type."""

from __future__ import annotations

from typing import Protocol

from tollgate_core.formats.base import UsageFormat
from tollgate_core.formats.document import DocumentParser
from tollgate_core.formats.ndjson import NDJSONParser
from tollgate_core.formats.reduction import Reduction
from tollgate_core.formats.sse import SSEParser

_NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


class BodyParser(Protocol):
    """Takes a body in chunks of any size and keeps a Reduction up to date; never raises on what a body holds."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        ...

    def close(self) -> None:
        """End the body, whole or cut off: fold what is left."""
        ...


def body_parser(content_type: str, fmt: UsageFormat, reduction: Reduction) -> BodyParser:
    """Return the parser for a response of this content type: SSE, NDJSON, else one JSON document."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "text/event-stream":
        return SSEParser(fmt, reduction)
    if media_type in _NDJSON_TYPES:
        return NDJSONParser(fmt, reduction)
    return DocumentParser(fmt, reduction)
