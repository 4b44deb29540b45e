"""The recorded streams under tests/data/streams, and the one way in which these tests read a body."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tollgate_core.formats import FORMATS, Reduction, UsageFormat, body_parser

_FOLDER = Path(__file__).parents[3] / "data" / "streams"
SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
JSON = "application/json"


@dataclass(frozen=True)
class Recording:
    """One recorded body and what it must be reduced to."""

    name: str
    body: bytes
    expected: dict[str, Any]

    @property
    def format(self) -> UsageFormat:
        return FORMATS[self.expected["format"]]

    @property
    def content_type(self) -> str:
        return str(self.expected["content_type"])

    def reduce(self, chunks: Iterable[bytes]) -> dict[str, Any]:
        return asdict(reduce(self.format, self.content_type, chunks))


def reduce(fmt: UsageFormat | str, content_type: str, chunks: Iterable[bytes]) -> Reduction:
    """Feed chunks to the parser of a content type and close it."""
    seen = Reduction()
    parser = body_parser(content_type, FORMATS[fmt] if isinstance(fmt, str) else fmt, seen)
    for chunk in chunks:
        parser.feed(chunk)
    parser.close()
    return seen


def event(value: object) -> bytes:
    """Return one SSE event, compact as providers write it."""
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _recordings() -> list[Recording]:
    bodies = [path for path in sorted(_FOLDER.iterdir()) if not path.name.endswith(".expected.json")]
    expected = [json.loads(path.with_suffix(".expected.json").read_text("utf-8")) for path in bodies]
    return [Recording(path.name, path.read_bytes(), want) for path, want in zip(bodies, expected, strict=True)]


RECORDINGS = _recordings()
