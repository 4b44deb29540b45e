"""The strip script removes the forced usage chunk and nothing else, in any split, and keeps nothing complete back."""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.formats.streams import RECORDINGS, SSE, Recording, event
from tests.unit.operator.lua.envoy_handle import Response, cut, reader, single_bytes, strip

_USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
_FORCED = event({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": _USAGE})
_DONE = b"data: [DONE]\n\n"
_streams = pytest.mark.parametrize(
    "recording", [one for one in RECORDINGS if one.content_type.startswith(SSE)], ids=lambda recording: recording.name
)


def _chunk(content: str, **more: Any) -> bytes:
    return event({"id": "c", "choices": [{"index": 0, "delta": {"content": content}}], "usage": None, **more})


def _respond(chunks: list[bytes], content_type: str = SSE, **options: Any) -> Response:
    response = strip().respond(chunks, content_type, metadata={"tollgate": {"strip": True}}, **options)
    assert set(response.metadata) == {"tollgate"}
    assert response.writes == 0
    return response


def _stripped(chunks: list[bytes]) -> bytes:
    return _respond([*chunks, b""]).body


def _check(body: bytes, expected: bytes, chunks: list[bytes]) -> None:
    """The right bytes come out, and each as soon as its event is complete."""
    out = _respond([*chunks, b""]).chunks
    assert b"".join(out) == expected
    removed = len(body) - len(expected)
    removed_at = next((n for n, byte in enumerate(expected) if byte != body[n]), len(expected))
    borders = [match.end() for match in re.finditer(rb"\n\r?\n", body)]
    for read, sent in zip(accumulate(map(len, chunks)), accumulate(map(len, out)), strict=False):
        complete = max((border for border in borders if border <= read), default=0)
        assert sent >= (complete - removed if complete > removed_at else complete)


def _check_all_cuts(body: bytes, expected: bytes) -> None:
    _check(body, expected, [body])
    _check(body, expected, single_bytes(body))
    for position in range(len(body) + 1):
        _check(body, expected, [body[:position], body[position:]])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    "before",
    [
        b"",
        _chunk("Hello"),
        _chunk("a") + _chunk("b", usage=_USAGE),
        _chunk('"choices": [], "usage": {') + _chunk('{"choices": [], "usage": {}}'),
        b": keep-alive\n\n" + _chunk("a") + b": c\n",
        b"\n" + _chunk("a") + b"\n",
        b"id: 1\nevent: x\n" + _chunk("a") + b"\n\n",
        event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}) + _chunk("a"),
        b"\xef\xbb\xbf" + _chunk("a"),
        b"data:" + _chunk("a")[6:],
    ],
)
def test_removes_the_forced_chunk(before: bytes, line_end: bytes) -> None:
    before, forced, done = (part.replace(b"\n", line_end) for part in (before, _FORCED, _DONE))
    _check_all_cuts(before + forced + done, before + done)


@pytest.mark.parametrize(
    "forced",
    [
        b"data:" + _FORCED[6:],
        b'data: { "usage" : { "prompt_tokens" : 3 } , "choices" : [ ] }\n\n',
        b'event: message\nid: 7\ndata: {"choices":[],"usage":{}}\n\n',
        b'data: {"choices":[],\ndata: "usage":{}}\n\n',
        b'data: {"x":"} \\" \\\\","y":[{"choices":1}],"choices":[],"usage":{"details":{"a":[1]}}}\n: bye\n\n',
    ],
)
def test_spellings_of_the_forced_chunk(forced: bytes) -> None:
    body = _chunk("a") + forced + _DONE
    _check_all_cuts(body, _chunk("a") + _DONE)


@pytest.mark.parametrize(
    "body",
    [
        _chunk("a", usage=_USAGE) + _DONE,
        event({"choices": [{"delta": {}}], "usage": _USAGE, "extra": {"choices": [], "usage": {}}}),
        event({"usage": _USAGE, "extra": {"choices": [], "usage": {}}}),
        event({"choices": [], "usage": None}) + _DONE,
        event({"choices": [], "extra": {"usage": {}}}),
        event({"choices": {"choices": []}, "usage": {}}),
        event({"choices": [], "text": '"usage":{}'}),
        event({"error": {"message": "no"}}),
        event({"choices": [{"delta": {"tool_calls": [{"arguments": {"choices": [], "usage": {}}}]}}]}),
        event([{"choices": [], "usage": {}}]),
        b'data: "choices":[],"usage":{}\n\n',
        b'data: x {"choices":[],"usage":{}}\n\n',
        b'other: {"choices":[],"usage":{}}\n\n',
        _chunk("a") + b'data: {"choices":[',
        _chunk("a") + b'data: {"id":"c"}',
        _chunk("a") + b"data: [DONE]",
        _chunk("a") + b"data: [DONE]\n",
        b"",
        b"\n\n\n",
        b"\r\n\r",
        b"::::\n:",
    ],
)
def test_leaves_everything_else_alone(body: bytes) -> None:
    _check_all_cuts(body, body)


@_streams
def test_recordings(recording: Recording) -> None:
    """In each recording at most one event goes: the last one of OpenAI's streams."""
    body = recording.body
    border = b"\r\n\r\n" if b"\r\n" in body else b"\n\n"
    kept = [part for part in body.split(border) if not (b'"choices":[]' in part and b'"usage":{' in part)]
    expected = border.join(kept)
    assert (expected != body) == recording.name.startswith(("openai_completions_cached", "openai_completions_tools"))
    for position in range(len(body)):
        assert _stripped([body[:position], body[position:]]) == expected
    assert _stripped(single_bytes(body)) == expected


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.text(max_size=30).map(_chunk) | st.sampled_from([b": c\n\n", b": d\n", b"\n", _DONE]), max_size=5),
    st.lists(st.integers(0, 1500), max_size=8),
)
def test_random_cuts(events: list[bytes], cuts: list[int]) -> None:
    before = b"".join(events)
    body = before + _FORCED + _DONE
    chunks = [chunk for chunk in cut(body, cuts) if chunk]
    _check(body, before + _DONE, chunks)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.binary(max_size=20)
        | st.sampled_from(b'data: |data|\n|\n\n|\r\n|\r|{"choices"|:[]|,"usage":{|}|"|\\|: c\n|event: x\n'.split(b"|"))
        | st.sampled_from([_FORCED, _FORCED[:40], _FORCED[40:], b'data: {"choices":[],"usage":{"']),
        max_size=20,
    )
)
def test_random_bytes(pieces: list[bytes]) -> None:
    """Never an error; the same in any split; and what comes out is what went in, but for whole events."""
    body = b"".join(pieces)
    whole = _stripped([body])
    chunks = [piece for piece in pieces if piece]
    assert _stripped(chunks) == whole
    assert _stripped(single_bytes(body)) == whole
    if b'"usage":{' not in body:
        assert whole == body


def test_an_empty_chunk_in_the_middle_loses_nothing() -> None:
    body = _chunk("a") + _chunk("b") + _DONE
    for position in range(len(body)):
        for second in range(position, len(body), 11):
            chunks = [body[:position], b"", body[position:second], b"", body[second:]]
            assert _respond(chunks).body == body


def test_an_end_without_an_empty_chunk() -> None:
    """HTTP/2 may end with the last data: all but an incomplete event, which clients discard, has been sent."""
    body = _chunk("a") + _DONE + b'data: {"id"'
    assert _respond([body]).body == _chunk("a") + _DONE
    assert _respond([_chunk("a") + b'data: {"error":"no"}']).body == _chunk("a") + b'data: {"error":"no"}'
    assert _respond([_chunk("a") + b"data: [DONE]\n"]).body == _chunk("a") + b"data: [DONE]\n"


def test_little_is_held_back() -> None:
    """A chunk with content passes as soon as its choices begin; nothing longer than a usage chunk is held."""
    partial = _chunk("a" * 100)[:60]
    assert _respond([partial]).body == partial
    for body in (b'data: {"id":"' + b"x" * 70_000, b": " + b"x" * 70_000):
        response = _respond(cut(body, range(0, len(body), 100)), measured=True)
        assert len(response.body) >= len(body) - 100
        assert response.peak_kib < 2_000
    assert _respond([b'data: {"id":"' + b"x" * 70_000]).chunks[0] == b'data: {"id":"' + b"x" * 70_000


def test_long_event_then_forced_chunk() -> None:
    long = event({"id": "x" * 70_000, "choices": [{"delta": {}}]})
    body = long + _FORCED + _DONE
    for size in (100, 1000, 65_536, 1 << 20):
        assert _stripped(cut(body, range(0, len(body), size))) == long + _DONE
    for position in range(len(long) - 5, len(long) + 5):
        assert _stripped([body[:30], body[30:position], body[position:]]) == long + _DONE


@pytest.mark.parametrize(
    ("metadata", "content_type", "headers"),
    [
        ({}, SSE, {}),
        ({"tollgate": {"other": True}}, SSE, {}),
        ({"tollgate": {"strip": True}}, "application/json", {}),
        ({"tollgate": {"strip": True}}, "", {}),
        ({"tollgate": {"strip": True}}, SSE, {"content-encoding": "gzip"}),
    ],
)
def test_only_where_it_is_asked_for(metadata: dict[str, Any], content_type: str, headers: dict[str, str]) -> None:
    headers = {**headers, "content-length": "9"}
    response = strip().respond([_FORCED], content_type, metadata=metadata, headers=headers)
    assert response.body == _FORCED
    assert response.headers["content-length"] == "9"


def test_the_length_is_no_longer_promised() -> None:
    headers = {"content-length": str(len(_FORCED)), "content-encoding": "identity"}
    assert "content-length" not in _respond([_FORCED], headers=headers).headers


def test_speed() -> None:
    body = json.loads(_FORCED[6:]) | {"system_fingerprint": "fp_fc9f1d7035", "created": 1741570283, "usage": None}
    chunk = event(body | {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]})
    for name, chunks in (("whole", [chunk] * 200), ("split", cut(chunk * 200, range(50, len(chunk) * 200, 150)))):
        nanoseconds = strip().nanoseconds_per_chunk(chunks, SSE, {"tollgate": {"strip": True}})
        nanoseconds -= reader().nanoseconds_per_chunk(chunks, SSE)
        print(f"strip {name} ({len(chunks[1])} B): {nanoseconds:.0f} ns/chunk")
