"""What the capture script takes of a response is what the Python parsers find in it, in any split, and nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.formats.streams import JSON, NDJSON, RECORDINGS, SSE, Recording, event, reduce
from tests.unit.operator.lua.envoy_handle import Response, capture, cut, reader, single_bytes
from tollgate_core.formats import FORMATS, Reduction, UsageFormat
from tollgate_extproc.witness.line import fold_captured

_KEYS = {"first", "last", "model", "events", "terminal", "error", "prompt_eval_count", "eval_count"}
_names = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
_cuts = st.lists(st.integers(0, 4000), max_size=8)


def _captured(fmt: str, chunks: Iterable[bytes], content_type: str = SSE, **options: Any) -> dict[str, Any]:
    """Run the script; whatever it is fed, it leaves the body alone and writes nothing but what is declared."""
    chunks = list(chunks)
    response = capture(fmt).respond(chunks, content_type, **options)
    assert response.chunks == chunks
    return _declared(response)


def _declared(response: Response) -> dict[str, Any]:
    assert set(response.metadata) <= {"tollgate.usage"}
    captured = response.metadata.get("tollgate.usage", {})
    assert set(captured) <= _KEYS
    for key, value in captured.items():
        if key == "events":
            assert isinstance(value, int | float)
        elif key in ("terminal", "error"):
            assert value is True
        else:
            assert isinstance(value, str)
            assert len(value) <= (256 if key == "model" else 8192)
    return captured


def _fold(captured: dict[str, Any], fmt: UsageFormat) -> Reduction:
    seen = Reduction()
    fold_captured(captured, fmt, seen)
    return seen


def _summary(captured: dict[str, Any], fmt: UsageFormat) -> dict[str, Any]:
    return {
        "usage": _fold(captured, fmt).usage,
        "model": captured.get("model"),
        "terminal": captured.get("terminal", False),
        "error": captured.get("error", False),
        "events": captured["events"],
    }


def _summary_of(seen: dict[str, Any] | Reduction) -> dict[str, Any]:
    one = seen if isinstance(seen, dict) else {name: getattr(seen, name) for name in Reduction.__slots__}
    return {
        "usage": one["usage"],
        "model": one["model"],
        "terminal": one["terminal"],
        "error": one["error"] is not None,
        "events": one["events"],
    }


def _check(fmt: str, chunks: Iterable[bytes], content_type: str = SSE) -> dict[str, Any]:
    """Both readers agree; returns what they found."""
    chunks = list(chunks)
    summary = _summary(_captured(fmt, chunks, content_type), FORMATS[fmt])
    assert summary == _summary_of(reduce(fmt, content_type, chunks))
    return summary


# --- recorded streams, in any split ---


@_names
def test_recording(recording: Recording) -> None:
    captured = _captured(recording.format.name, [recording.body], recording.content_type)
    assert _summary(captured, recording.format) == _summary_of(recording.expected["reduction"])


@_names
def test_cut_at_every_byte(recording: Recording) -> None:
    whole = _captured(recording.format.name, [recording.body], recording.content_type)
    for position in range(len(recording.body) + 1):
        chunks = [recording.body[:position], recording.body[position:]]
        assert _captured(recording.format.name, chunks, recording.content_type) == whole, position


@_names
def test_single_bytes(recording: Recording) -> None:
    whole = _captured(recording.format.name, [recording.body], recording.content_type)
    assert _captured(recording.format.name, single_bytes(recording.body), recording.content_type) == whole


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RECORDINGS), _cuts)
def test_random_cuts(recording: Recording, cuts: list[int]) -> None:
    whole = _captured(recording.format.name, [recording.body], recording.content_type)
    assert _captured(recording.format.name, cut(recording.body, cuts), recording.content_type) == whole


@_names
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_line_ends(recording: Recording, line_end: bytes) -> None:
    body = recording.body.replace(b"\r\n", b"\n").replace(b"\n", line_end)
    if recording.content_type == NDJSON and line_end == b"\r":
        return
    captured = _captured(recording.format.name, single_bytes(body), recording.content_type)
    assert _summary(captured, recording.format) == _summary_of(recording.expected["reduction"])


@_names
def test_broken_off_after_any_chunk(recording: Recording) -> None:
    """What was captured stays: the metadata is written as the chunks pass, not at the end."""
    for position in range(0, len(recording.body), 7):
        chunks = cut(recording.body[:position], range(0, position, 100))
        broken = _captured(recording.format.name, chunks, recording.content_type, closed=False)
        ended = _captured(recording.format.name, chunks, recording.content_type)
        del ended["events"]
        assert broken.items() >= ended.items()


# --- text of the model never counts ---

_DECOYS: dict[str, Any] = {
    "usage": {"prompt_tokens": 9, "input_tokens": 9},
    "usageMetadata": {"promptTokenCount": 9},
    "eval_count": 9,
    "prompt_eval_count": 9,
    "model": "decoy",
    "modelVersion": "decoy",
    "done": True,
    "error": {"type": "decoy"},
    "type": "message_stop",
    "finishReason": "STOP",
    "response": {"usage": {"input_tokens": 9}},
    "message": {"usage": {"input_tokens": 9}},
    'a"usage': {"prompt_tokens": 9},
    '"usage': {"prompt_tokens": 9},
    '\\"usage"': {"prompt_tokens": 9},
}
_TEXTS = (
    json.dumps(_DECOYS),
    '"usage": {"prompt_tokens": 9}',
    '\\"usage\\":{\\"prompt_tokens\\":9}',
    "usage",
    '{"usage":{"prompt_tokens":9}}}]}}',
    "data: [DONE]",
    "\n\ndata: [DONE]\n\n",
    "\n\nevent: error\ndata: {}\n\n",
    'x\\"},"usage":{"prompt_tokens":9}',
    "\\",
    "\\\\",
)


def _event_with(fmt: str, text: str, arguments: Any) -> dict[str, Any]:
    """An event as the format brings text and, where the format has them, a tool call's arguments as an object."""
    match fmt:
        case "gemini":
            parts: list[dict[str, Any]] = [{"text": text}, {"functionCall": {"name": "f", "args": arguments}}]
            return {"candidates": [{"content": {"parts": parts}}], "modelVersion": "m"}
        case "anthropic_messages":
            block = {"type": "tool_use", "name": text, "input": arguments}
            return {"type": "content_block_start", "content_block": block, "delta": {"text": text}}
        case "ollama":
            call = {"function": {"name": "f", "arguments": arguments}}
            return {"model": "m", "message": {"content": text, "tool_calls": [call]}, "done": False}
        case "openai_responses":
            return {"type": "response.x.delta", "delta": text, "item": {"arguments": json.dumps(arguments)}}
        case _:
            call = {"function": {"arguments": json.dumps(arguments)}, "extra": arguments}
            return {"model": "m", "choices": [{"delta": {"content": text, "tool_calls": [call]}}], "usage": None}


def _usage_event(fmt: str) -> dict[str, Any]:
    usage = FORMATS[fmt].estimate(3, 4)
    match fmt:
        case "ollama":
            return {"model": "m", "done": True, **usage}
        case "openai_responses":
            return {"type": "response.completed", "response": {"object": "response", "model": "m", "usage": usage}}
        case "anthropic_messages":
            return {"type": "message_start", "message": {"model": "m", "usage": usage}}
        case "gemini":
            return {"modelVersion": "m", "usageMetadata": usage}
        case _:
            return {"model": "m", "choices": [], "usage": usage}


def _body(fmt: str, events: Iterable[dict[str, Any]]) -> tuple[bytes, str]:
    if fmt == "ollama":
        return b"".join(json.dumps(one).encode() + b"\n" for one in events), NDJSON
    return b"".join(event(one) for one in events), SSE


@pytest.mark.parametrize("fmt", sorted(FORMATS))
@pytest.mark.parametrize("text", _TEXTS)
def test_text_and_arguments_are_not_usage(fmt: str, text: str) -> None:
    body, content_type = _body(fmt, [_event_with(fmt, text, _DECOYS)] * 3)
    for chunks in ([body], single_bytes(body)):
        captured = _captured(fmt, chunks, content_type)
        assert captured.keys() <= {"events", "model"}
        assert captured.get("model", "m") == "m"
    document = json.dumps(_event_with(fmt, text, _DECOYS)).encode()
    captured = _captured(fmt, [document], JSON)
    assert captured.keys() <= {"events", "model", "terminal"}


_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_json_values = st.recursive(
    st.none() | st.booleans() | _numbers | st.sampled_from(_TEXTS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(_DECOYS)) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.lists(st.tuples(st.text(), _json_values), max_size=4), _cuts, st.booleans())
def test_agrees_with_the_python_parser(
    fmt: str, answers: list[tuple[str, Any]], cuts: list[int], ends_early: bool
) -> None:
    events = [_event_with(fmt, text, arguments) for text, arguments in answers]
    body, content_type = _body(fmt, events if ends_early else [*events, _usage_event(fmt)])
    summary = _check(fmt, cut(body, cuts), content_type)
    assert (summary["usage"] is None) == ends_early


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.text(min_size=12), _json_values, _cuts)
def test_no_answer_text_is_written(fmt: str, text: str, arguments: object, cuts: list[int]) -> None:
    answer = _event_with(fmt, text, {"text": text, "more": arguments})
    body, content_type = _body(fmt, [answer, {**answer, **_usage_event(fmt)}])
    captured = _captured(fmt, cut(body, cuts), content_type)
    expected = json.dumps([_usage_event(fmt), sorted(_KEYS)])  # an answer may happen to be "prompt_tokens"
    written = [json.dumps(captured), *(value for value in captured.values() if isinstance(value, str))]
    for spelling in (text, json.dumps(text)[1:-1]):
        parts = {spelling[n : n + 12] for n in range(max(len(spelling) - 11, 0))}
        parts -= {part for part in parts if part in expected}
        assert not any(part in value for part in parts for value in written)


# --- spellings ---


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"model":"m","usage":{"prompt_tokens":3}}\r\n\r\ndata: [DONE]\r\n\r\n',
        b'data:{"model":"m","usage":{"prompt_tokens":3}}\n\ndata:[DONE]\n\n',
        b'data: {"model":"m",\ndata: "usage":{"prompt_tokens":\ndata:3}}\n\ndata: [DONE]\n\n',
        b': hello\n\n: usage"\ndata: {"model":"m","usage":{"prompt_tokens":3}}\n: bye\n\ndata: [DONE]\n\n',
        b'\xef\xbb\xbfdata: {"model":"m","usage":{"prompt_tokens":3}}\n\ndata: [DONE]\n\n',
        b'id: 1\nevent: x\nretry: 5\ndata: { "model" : "m" , "usage" : { "prompt_tokens" : 3 } }\n\ndata: [DONE]\n\n',
        b'data: {"model":"m"}\n\ndata: {"usage":\t{"prompt_tokens": 3}}\n\n\n\ndata:  [DONE] \n\n',
        b'data: {"model":"m","usage":{"prompt_tokens":3}}\n\ndata: {"usage":null}\n\ndata: {"usage" : null}\n\n'
        b'data: {"usage": null}\n\ndata: {"usage":{}}\n\ndata: [DONE]\n\n',
        b'data: {"model":"","choices":[]}\n\ndata: {"model":"m","choices":[]}\n\n'
        b'data: {"usage":{"prompt_tokens":3}}\n\ndata: [DONE]\n\n',
    ],
)
def test_spellings_of_sse(body: bytes) -> None:
    chunkings = [[body], single_bytes(body), *(cut(body, [position]) for position in range(len(body)))]
    for chunks in chunkings:
        summary = _check("openai_completions", chunks)
        assert summary | {"events": 0} == {
            "usage": {"prompt_tokens": 3},
            "model": "m",
            "terminal": True,
            "error": False,
            "events": 0,
        }


def test_an_empty_usage_does_not_replace_a_counted_one() -> None:
    body = event({"usage": {"prompt_tokens": 1}}) + event({"usage": {"prompt_tokens": 2}}) + event({"usage": {}})
    captured = _captured("mistral", [body])
    assert (captured["first"], captured["last"]) == ('{"prompt_tokens":1}', '{"prompt_tokens":2}')


def test_json_lines_without_a_final_newline() -> None:
    body = b'{"model":"m","done":false}\n\n{"model":"m","done":true,"prompt_eval_count":3,"eval_count": 4}'
    for chunks in ([body], single_bytes(body)):
        assert _check("ollama", chunks, NDJSON)["usage"] == {"prompt_eval_count": 3, "eval_count": 4}


def test_document_in_many_chunks() -> None:
    body = json.dumps({"model": "m", "choices": [{"message": {"content": "a" * 300_000}}], **_usage_event("mistral")})
    for size in (7, 1000, 16_384):
        summary = _check("mistral", cut(body.encode(), range(0, len(body), size)), JSON)
        assert summary["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        assert summary["terminal"]


def test_gemini_array_document() -> None:
    first = {"candidates": [{"index": 0}], "usageMetadata": {"promptTokenCount": 2}, "modelVersion": "m"}
    last = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3}, "modelVersion": "m"}
    body = json.dumps([first, last], indent=1).encode()
    for position in range(len(body)):
        summary = _check("gemini", cut(body, [position]), f"{JSON}; charset=UTF-8")
        assert (summary["usage"], summary["terminal"], summary["events"]) == ({"promptTokenCount": 3}, True, 2)


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed", "failed"])
def test_background_response(status: str) -> None:
    body = json.dumps({"object": "response", "status": status, "model": "m", "usage": {"input_tokens": 1}}).encode()
    assert _check("openai_responses", [body], JSON)["terminal"] == (status in ("completed", "failed"))


@pytest.mark.parametrize(
    ("fmt", "error"),
    [
        ("openai_completions", {"error": {"type": "server_error"}}),
        ("openai_completions", {"id": "gen-1", "error": {"code": 502}, "choices": [{"finish_reason": "error"}]}),
        ("openai_completions", {"error": "text"}),
        ("openai_completions", {"error": {"message": "x" * 20_000}}),
        ("mistral", {"object": "error", "type": "internal"}),
        ("openai_responses", {"type": "error", "code": "x"}),
        ("openai_responses", {"type": "response.failed", "response": {"error": {"code": "x"}}}),
        ("anthropic_messages", {"type": "error", "error": {"type": "overloaded_error"}}),
        ("gemini", {"error": {"status": "UNAVAILABLE"}}),
        ("ollama", {"error": "it broke"}),
    ],
)
def test_errors(fmt: str, error: dict[str, Any]) -> None:
    body, content_type = _body(fmt, [_event_with(fmt, "a", {}), error])
    for chunks in ([body], single_bytes(body)):
        assert _check(fmt, chunks, content_type)["error"]


@pytest.mark.parametrize("nothing", [None, {}, "", False])
def test_an_empty_error_is_none(nothing: object) -> None:
    body = event({"model": "m", "error": nothing})
    for chunks in ([body], single_bytes(body)):
        assert not _check("openai_completions", chunks)["error"]


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ('"a"', "a"),
        ('"models\\/a"', "models/a"),
        (f'"{"x" * 256}"', "x" * 256),
        (f'"{"x" * 257}"', None),
        (f'"{"x" * 100_000}"', None),
        ('"a\\nb"', None),
        ('""', None),
        ("null", None),
        ('{"a":1}', None),
        ("5", None),
    ],
)
def test_model(model: str, kept: str | None) -> None:
    body = f'data: {{"model":{model}}}\n\n'.encode()
    for chunks in ([body], single_bytes(body)):
        assert _captured("mistral", chunks).get("model") == kept


@pytest.mark.parametrize("count", ['"9"', "[9]", "null", "true", "9x", "9" * 33, '"an answer, not a number"'])
def test_only_numbers_are_counts(count: str) -> None:
    body = f'{{"eval_count":{count},"done":true}}\n'.encode()
    assert "eval_count" not in _captured("ollama", [body], NDJSON)


def test_usage_above_the_bound_is_left_out() -> None:
    small, large = {"prompt_tokens": 1}, {"prompt_tokens": 2, "x": "y" * 8192}
    body = event({"usage": small}) + event({"usage": large}) + event({"model": "m"})
    for chunks in ([body], single_bytes(body)):
        captured = _captured("mistral", chunks)
        assert "last" not in captured
        assert json.loads(captured["first"]) == small


def test_writes_are_few() -> None:
    """Each write costs Envoy a little: a stream of plain chunks makes about one in sixteen."""
    chunks = [event(_event_with("mistral", "text", {})) for _ in range(160)]
    assert capture("mistral").respond(chunks, SSE).writes <= 18


# --- whatever is fed, nothing breaks ---

_GARBAGE = (
    b"",
    b"\x00" * 200,
    b"\xff\xfe" * 200,
    b"}" * 200,
    b"]" * 200,
    b"," * 200,
    b":" * 200,
    b'"' * 201,
    b"\\" * 201,
    b'{"' * 200,
    b'{"usage":' * 200,
    b'{"usage":{' * 200,
    b'{"usage":}' * 200,
    b'{"usage":"x}' * 200,
    b'{"candidates":[' * 200,
    b'{"candidates":[{"finishReason":' * 200,
    b"[{" * 200,
    b'{"error":[' * 200,
    b'{"model"',
    b'{"model":',
    b'{"model":"',
    b"\r" * 200,
    b"\n" * 200,
    b"\xef",
    b"\xef\xbb\xbf",
)


@pytest.mark.parametrize("content_type", [SSE, NDJSON, JSON, "", "text/event-stream;;;", ";"])
@pytest.mark.parametrize("fmt", sorted(FORMATS))
def test_garbage(fmt: str, content_type: str) -> None:
    for garbage in _GARBAGE:
        for body in (garbage, b"data: " + garbage, b"data: " + garbage + b"\n\n", garbage + b"\n"):
            _captured(fmt, [body], content_type)
            _captured(fmt, single_bytes(body), content_type)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(sorted(FORMATS)),
    st.sampled_from([SSE, NDJSON, JSON]),
    st.lists(
        st.binary(max_size=20)
        | st.sampled_from(
            b'data: |\n|\n\n|\r|"|\\|{|}|[|]|:|,|"usage"|usage|[DONE]|"model"|"m"|12|"error"|"candidates"|"response"'
            b'|{"usage":{"a":1}}|{"a":'.split(b"|")
        ),
        max_size=30,
    ),
)
def test_random_bytes(fmt: str, content_type: str, chunks: list[bytes]) -> None:
    """The same, whether it comes in these pieces, at once or byte by byte; and never an error."""
    body = b"".join(chunks)
    whole = _captured(fmt, [body], content_type)
    for other in (chunks, single_bytes(body)):
        captured = _captured(fmt, other, content_type)
        assert {key: captured.get(key) for key in _KEYS - {"events"}} == {
            key: whole.get(key) for key in _KEYS - {"events"}
        }


@pytest.mark.parametrize("content_type", [SSE, NDJSON, JSON])
@pytest.mark.parametrize(
    "piece",
    [b"[", b'{"a":', b'{"candidates":[', b'{"usage":{"a":', b'{"error":{"a":', b'{"model":"', b'x"', b"\\", b"{", b"9"],
)
@pytest.mark.parametrize("fmt", ["gemini", "openai_completions", "ollama"])
def test_memory_is_bounded(fmt: str, piece: bytes, content_type: str) -> None:
    head = b'data: {"model":"m","x":' if content_type == SSE else b'{"model":"m","x":'
    for body in (head + piece * 100_000, (b"data: " if content_type == SSE else b"") + piece * 100_000):
        chunks = cut(body, range(0, len(body), 65_536))
        response = capture(fmt).respond(chunks, content_type, measured=True)
        _declared(response)
        assert response.peak_kib < 2_000


def test_large_event() -> None:
    """A `response.completed` event holds the whole answer; the usage behind it is found."""
    rng = random.Random(1)
    text = "".join(rng.choice('abc "\\\n{}[]:,usage') for _ in range(2 << 20))
    response = {"object": "response", "model": "m", "output": [{"text": text}], "usage": {"input_tokens": 5}}
    body = event({"type": "response.completed", "response": response})
    for size in (1 << 14, 1 << 17, 1 << 22):
        summary = _check("openai_responses", cut(body, range(0, len(body), size)))
        assert (summary["usage"], summary["terminal"]) == ({"input_tokens": 5}, True)


def test_deeply_nested_arrays() -> None:
    nested = b"[" * 100_000 + b"]" * 100_000
    body = b'data: {"model":"m","x":' + nested + b',"usage":{"prompt_tokens":3}}\n\n'
    captured = _captured("mistral", cut(body, range(0, len(body), 10_000)))
    assert json.loads(captured["first"]) == {"prompt_tokens": 3}


# --- speed, for the eye ---


@pytest.mark.parametrize("fmt", sorted(FORMATS))
def test_speed(fmt: str) -> None:
    body, content_type = _body(fmt, [_event_with(fmt, "Hello", {})])
    if fmt in ("openai_completions", "deepseek", "mistral"):
        chunk = b'data: {"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk",'
        chunk += b'"created":1741570283,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":'
        chunk += b'"fp_fc9f1d7035","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,'
        chunk += b'"finish_reason":null}],"usage":null}\n\n'
    elif fmt == "gemini":
        chunk = event(_event_with(fmt, "Hello" * 50, {}) | _usage_event(fmt))
    else:
        chunk = body
    for name, chunks in (("whole", [chunk] * 200), ("split", cut(chunk * 200, range(50, len(chunk) * 200, 150)))):
        nanoseconds = capture(fmt).nanoseconds_per_chunk(chunks, content_type)
        nanoseconds -= reader().nanoseconds_per_chunk(chunks, content_type)
        print(f"capture {fmt} {name} ({len(chunks[1])} B): {nanoseconds:.0f} ns/chunk")
