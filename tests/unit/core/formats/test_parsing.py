"""The byte parsers: line ends, comments, markers, model text, limits and cost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.formats.streams import JSON, NDJSON, RECORDINGS, SSE, event, reduce
from tollgate_core.formats import FORMATS, Reduction, UsageFormat, body_parser
from tollgate_core.formats.ndjson import NDJSONParser
from tollgate_core.formats.sse import SSEParser

_FIRST = event({"model": "m", "choices": []})
_USAGE = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
_LATE = _FIRST + event({"choices": [], "usage": None})


def _openai(body: bytes) -> Reduction:
    return reduce("openai_completions", SSE, [body])


@pytest.mark.parametrize(
    "written",
    [
        b'{"usage":{"prompt_tokens":9}}',
        b'{"usage": {"prompt_tokens": 9}}',
        b'{"usage" : {"prompt_tokens" : 9}}',
        b'{"usage"\t:\t{ "prompt_tokens":\t9 } }',
        b'{"choices":[{"usage":null}],"usage":{"prompt_tokens":9}}',
        b'{"x":{"usage": null},"usage"  :  {"prompt_tokens":9}}',
        b'{"x":["usage"],"usage":{"prompt_tokens":9}}',
    ],
)
def test_usage_is_found_in_any_spelling(written: bytes) -> None:
    assert _openai(_LATE + b"data: " + written + b"\n\n").usage == {"prompt_tokens": 9}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("space", [b"", b" "])
def test_line_ends_and_spaces(end: bytes, space: bytes) -> None:
    lines = [
        b": comment",
        b"",
        b"event: chunk",
        b"id: 7",
        b"retry: 100",
        b"data:" + space + b'{"model":"m",',
        b"data:" + space + b'"usage":',
        b": in between",
        b"data:" + space + b'{"prompt_tokens":9}}',
        b"",
        b"",
        b"data:" + space + b"[DONE]",
        b"",
    ]
    body = b"".join(line + end for line in lines)
    for bom in (b"", b"\xef\xbb\xbf"):
        for position in range(len(body)):
            seen = reduce("openai_completions", SSE, [bom + body[:position], body[position:]])
            assert (seen.model, seen.usage, seen.events, seen.terminal) == ("m", {"prompt_tokens": 9}, 2, True)


def test_mixed_line_ends() -> None:
    body = b'data: {"model":"m"}\n\r\ndata: {"usage":{"prompt_tokens":9}}\r\rdata: [DONE]\r\n\n'
    for position in range(len(body)):
        seen = reduce("openai_completions", SSE, [body[:position], body[position:]])
        assert (seen.events, seen.usage, seen.terminal) == (3, {"prompt_tokens": 9}, True)


def test_what_is_not_an_event() -> None:
    seen = _openai(b': ping\n\nevent: ping\n\ndatum: {"model":"m"}\n\n data: {"model":"m"}\n\n\n\n')
    assert seen == Reduction()


def test_a_bare_data_line_is_an_empty_event() -> None:
    assert _openai(b"data\n\ndata:\n\n") == Reduction(events=2)


def test_an_incomplete_event_is_discarded() -> None:
    whole = event({"model": "m", "usage": _USAGE})
    assert _openai(whole[:-1]) == Reduction()
    assert _openai(whole).usage == _USAGE


def test_a_last_line_without_newline_is_taken_if_it_is_whole() -> None:
    line = b'{"model":"m","done":true,"eval_count":3}'
    assert reduce("ollama", NDJSON, [line]).usage == {"eval_count": 3}
    assert reduce("ollama", NDJSON, [line[:-1]]) == Reduction(events=1, malformed=1)


@pytest.mark.parametrize(
    "broken", [b"{", b'{"usage": nope}', b'{"usage": {"prompt_tokens": NaN}}', b'{"error": "\xff"}']
)
def test_malformed_events_are_counted(broken: bytes) -> None:
    seen = _openai(b"data: " + broken + b"\n\n" + event({"model": "m", "usage": _USAGE}))
    assert (seen.malformed, seen.events, seen.usage) == (1, 2, _USAGE)
    seen = reduce("openai_completions", JSON, [broken])
    assert (seen.malformed, seen.terminal, seen.usage) == (1, False, None)


def test_done_is_not_terminal_as_text_or_in_formats_without_it() -> None:
    assert not _openai(_FIRST + event({"choices": [{"delta": {"content": "[DONE]"}}]})).terminal
    assert not reduce("gemini", SSE, [b"data: [DONE]\n\n"]).terminal
    assert _openai(_FIRST + b"data: [DONE]\n\n").terminal


_DECOYS: list[dict[str, Any]] = [
    {"usage": _USAGE, "usageMetadata": {"promptTokenCount": 9}, "eval_count": 9, "done": True, "error": {"type": "x"}},
    {"type": "message_delta", "usage": {"output_tokens": 9}, "response": {"usage": {"input_tokens": 9}}},
]


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("decoy", _DECOYS)
def test_model_output_never_counts(fmt: UsageFormat, decoy: dict[str, Any]) -> None:
    """As text, and as the real JSON objects in which some providers deliver tool arguments."""
    first = {"model": "m", "modelVersion": "m", "type": "ping"}
    answers: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": json.dumps(decoy), "tool_calls": [{"function": {"arguments": decoy}}]}}]},
        {"type": "content_block_delta", "delta": {"text": json.dumps(decoy)}},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "input": decoy}},
        {"type": "response.output_text.delta", "delta": json.dumps(decoy)},
        {"type": "response.output_item.done", "item": {"type": "mcp_call", "arguments": decoy}},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": decoy}}]}}]},
        {"message": {"content": json.dumps(decoy), "tool_calls": [{"function": {"arguments": decoy}}]}, "done": False},
    ]
    seen = reduce(fmt, SSE, [event(one) for one in [first, *answers]])
    assert (seen.usage, seen.terminal, seen.error) == (None, False, None)
    seen = reduce(fmt, JSON, [json.dumps(answers).encode()])
    assert (seen.usage, seen.terminal, seen.error) == (None, False, None)


_keys = st.sampled_from(
    (
        *("usage", "usageMetadata", "response", "message", "type", "object", "error", "done", "eval_count", "text"),
        *("prompt_eval_count", "finishReason", "promptFeedback", "candidates", "prompt_tokens", "input_tokens"),
    )
)
_words = st.sampled_from(
    (
        *(
            "message_stop",
            "message_delta",
            "message_start",
            "message",
            "error",
            "response",
            "response.completed",
            "usage",
        ),
        *("response.failed", "x", '{"usage":{"prompt_tokens":9}}', "data: [DONE]", "\n\n", "SAFETY", "☃"),
    )
)
_leaves = st.one_of(st.none(), st.booleans(), st.integers(-1, 20), _words)
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_keys, inner, max_size=4), max_leaves=12
)
_events = st.lists(st.dictionaries(_keys, _values, max_size=5), min_size=1, max_size=6)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(list(FORMATS.values())),
    _events,
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "  :  ")]),
    st.booleans(),
    st.sampled_from([b"", b"event: e\n", b": c\n"]),
)
def test_skipping_by_marker_equals_parsing_everything(
    fmt: UsageFormat, events: list[dict[str, Any]], separators: tuple[str, str], ascii_only: bool, before: bytes
) -> None:
    events = [{"model": "m", "modelVersion": "m"}, *[{}] * 8, *events]
    written = [json.dumps(one, separators=separators, ensure_ascii=ascii_only).encode() for one in events]
    want = Reduction(events=len(events))
    for one in events:
        fmt.observe(one, want)
    streams = {SSE: [before + b"data: " + line + b"\n\n" for line in written], NDJSON: [one + b"\n" for one in written]}
    for content_type, chunks in streams.items():
        assert asdict(reduce(fmt, content_type, chunks)) == asdict(want)
        assert asdict(reduce(fmt, content_type, [b"".join(chunks[:9]), b"".join(chunks[9:])])) == asdict(want)


def test_common_chunks_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    loads = orjson.loads
    monkeypatch.setattr("orjson.loads", lambda data: parsed.append(data) or loads(data))  # type: ignore[func-returns-value]
    seen = _openai(_FIRST + event({"usage": None}) * 3 + b'data: {"usage": null}\n\n' + event({"usage": _USAGE}))
    assert (seen.events, seen.usage, len(parsed)) == (6, _USAGE, 2)
    parsed.clear()
    reduce("ollama", NDJSON, [b'{"model":"m","done":false}\n' * 9 + b'{"done": false}\n{"done" :true}\n'])
    assert len(parsed) == 2


def test_the_model_is_looked_for_in_the_first_events_only() -> None:
    assert _openai(event({"model": ""}) * 7 + _FIRST).model == "m"
    assert _openai(event({"model": ""}) * 8 + _FIRST).model is None


def test_a_whole_document_is_terminal_unless_it_is_still_in_progress() -> None:
    for status, terminal in [("completed", True), ("queued", False), ("in_progress", False), ("cancelled", True)]:
        body = json.dumps({"object": "response", "status": status, "usage": None}).encode()
        assert reduce("openai_responses", JSON, [body]).terminal is terminal


def test_the_front_of_an_array_that_was_cut_off_counts() -> None:
    elements = [{"usageMetadata": {"promptTokenCount": n}, "modelVersion": "m"} for n in (1, 2, 3)]
    body = json.dumps(elements, indent=1).encode()
    cut = body.rindex(b"usageMetadata") + 5
    seen = reduce("gemini", JSON, [body[:cut]])
    assert (seen.usage, seen.malformed, seen.model) == ({"promptTokenCount": 2}, 1, "m")
    for end in range(len(body)):
        reduce("gemini", JSON, [body[:end]])


@pytest.mark.parametrize("body", [b"", b"  ", b"null", b"5", b'"usage"', b"[]", b"[5, null]", b"<html>", b"[" * 5000])
def test_documents_of_another_kind(body: bytes) -> None:
    seen = reduce("gemini", JSON, [body])
    assert (seen.usage, seen.terminal, seen.oversize) == (None, False, False)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize("length", [98, 99, 100, 101, 102, 103, 350])
def test_an_oversize_event_is_skipped(size: int, length: int) -> None:
    padded = b"data: " + b" " * (length - 6)
    body = _FIRST + padded + b"\n\n" + event({"usage": _USAGE})
    seen = Reduction()
    parser = SSEParser(FORMATS["openai_completions"], seen, limit=100)
    for start in range(0, len(body), size):
        parser.feed(body[start : start + size])
    assert (seen.oversize, seen.events, seen.usage) == (length > 100, 3, _USAGE)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize("length", [99, 100, 101, 102, 350])
def test_an_oversize_line_is_skipped(size: int, length: int) -> None:
    line = b'{"model":"m"' + b" " * (length - 13) + b"}"
    body = line + b'\n{"eval_count":3}\n' + line
    seen = Reduction()
    parser = NDJSONParser(FORMATS["ollama"], seen, limit=100)
    for start in range(0, len(body), size):
        parser.feed(body[start : start + size])
    parser.close()
    assert (seen.oversize, seen.events, seen.usage) == (length > 100, 3, {"eval_count": 3})


def test_an_oversize_document_is_skipped() -> None:
    body = b'{"usage":{"prompt_tokens":9},"text":"' + b"x" * (16 * 1024 * 1024) + b'"}'
    seen = reduce("openai_completions", JSON, [body[:1000], body[1000:]])
    assert seen == Reduction(oversize=True)


def _pieces(body: bytes) -> Iterator[bytes]:
    """Cut into pieces of 1 byte to 16 KiB, small ones mostly."""
    position, step = 0, 1
    while position < len(body):
        yield body[position : position + step]
        position += step
        step = step * 3 % 16_381 if position % 5 == 0 else max(step // 2, 1)


@pytest.mark.parametrize("content_type", [SSE, NDJSON])
def test_a_large_event_costs_linear_time(content_type: str) -> None:
    """2 MiB take about 16 times as long as 128 KiB; quadratic cost would be 256 times."""

    def cost(size: int) -> float:
        document = {"model": "m", "text": "x" * size, "usage": _USAGE, "eval_count": 3, "done": True}
        body = event(document) if content_type == SSE else json.dumps(document).encode() + b"\n"
        chunks = list(_pieces(body))
        fmt = "openai_completions" if content_type == SSE else "ollama"
        started = time.process_time()
        seen = reduce(fmt, content_type, chunks)
        assert seen.usage
        return time.process_time() - started

    small = min(cost(128 * 1024) for _ in range(3))
    assert cost(2 * 1024 * 1024) < 80 * max(small, 0.002)


def test_the_parser_is_chosen_by_content_type() -> None:
    body = b'{"model":"m","eval_count":3,"done":true}'
    for content_type in (
        "application/x-ndjson",
        "Application/NDJSON; charset=utf-8",
        "application/json",
        "",
        "text/plain",
    ):
        assert reduce("ollama", content_type, [body]).usage == {"eval_count": 3}
    assert reduce("openai_completions", "Text/Event-Stream;charset=UTF-8", [_FIRST]).model == "m"


def test_a_reduction_can_be_read_in_the_middle_of_a_stream() -> None:
    recording = next(one for one in RECORDINGS if one.name == "anthropic_messages_cached.sse")
    seen = Reduction()
    parser = body_parser(SSE, recording.format, seen)
    parser.feed(recording.body[: recording.body.index(b"event: ping")])
    assert seen.usage is not None
    assert (seen.usage["output_tokens"], seen.terminal) == (1, False)
