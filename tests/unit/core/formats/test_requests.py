"""The request side: models, streams, limits, estimates, forced usage, and error bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.core.formats.streams import JSON, reduce
from tollgate_core.formats import FORMATS, UsageFormat, error_body

each_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS.keys())
_ON_REQUEST = ("openai_completions", "deepseek")


@pytest.mark.parametrize("name", _ON_REQUEST)
@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({"stream": True}, {"include_usage": True}),
        ({"stream": True, "stream_options": None}, {"include_usage": True}),
        ({"stream": True, "stream_options": "x"}, {"include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": False, "a": 1}}, {"include_usage": True, "a": 1}),
        ({"stream": True, "stream_options": {"include_usage": True}}, None),
        ({"stream": False}, None),
        ({}, None),
    ],
)
def test_usage_is_forced(name: str, body: dict[str, Any], options: dict[str, Any] | None) -> None:
    before = {"model": "m", **body}
    forced = FORMATS[name].force_usage(before)
    assert forced == (None if options is None else {**before, "stream_options": options})
    assert FORMATS[name].client_asked_usage(before) is (options is None)
    assert before == {"model": "m", **body}


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in _ON_REQUEST])
def test_other_formats_always_send_usage(name: str) -> None:
    body = {"stream": True, "stream_options": {"include_usage": False}}
    assert FORMATS[name].force_usage(body) is None
    assert FORMATS[name].client_asked_usage(body)


@pytest.mark.parametrize(
    ("name", "body", "params", "model"),
    [
        ("openai_completions", {"model": "gpt-4o"}, {"model": "other"}, "gpt-4o"),
        ("openai_completions", {}, {"deployment": "my-gpt"}, "my-gpt"),
        ("openai_completions", {"model": 5}, {}, None),
        ("gemini", {}, {"model": "gemini-2.5-flash:streamGenerateContent"}, "gemini-2.5-flash"),
        ("gemini", {}, {"model": "models/gemini-2.5-flash"}, "gemini-2.5-flash"),
        ("gemini", {"model": "models/x"}, {}, "models/x"),
    ],
)
def test_request_model(name: str, body: dict[str, Any], params: dict[str, str], model: str | None) -> None:
    assert FORMATS[name].request_model(body, params) == model


@pytest.mark.parametrize(
    ("name", "body", "path", "streams"),
    [
        ("openai_completions", {"stream": True}, "/v1/chat/completions", True),
        ("openai_completions", {"stream": "true"}, "/v1/chat/completions", False),
        ("anthropic_messages", {}, "/v1/messages", False),
        ("gemini", {}, "/v1beta/models/gemini:streamGenerateContent", True),
        ("gemini", {"stream": True}, "/v1beta/models/gemini:generateContent", False),
        ("ollama", {}, "/api/chat", True),
        ("ollama", {"stream": False}, "/api/chat", False),
        ("ollama", {}, "/api/embed", False),
    ],
)
def test_is_stream(name: str, body: dict[str, Any], path: str, streams: bool) -> None:
    assert FORMATS[name].is_stream(body, path) is streams


@pytest.mark.parametrize(
    ("name", "body", "tokens"),
    [
        ("openai_completions", {"max_tokens": 100}, 100),
        ("openai_completions", {"max_tokens": 100, "max_completion_tokens": 50, "n": 3}, 300),
        ("openai_completions", {"max_tokens": 100, "best_of": 4, "n": 2}, 400),
        ("openai_completions", {"max_tokens": -1}, None),
        ("openai_completions", {"max_tokens": "9"}, None),
        ("openai_completions", {"max_tokens": 10, "n": 0}, 10),
        ("openai_responses", {"max_output_tokens": 30}, 30),
        ("anthropic_messages", {"max_tokens": 1024}, 1024),
        ("ollama", {"options": {"num_predict": 7}}, 7),
        ("ollama", {"options": {"num_predict": -1}}, None),
        ("gemini", {"generationConfig": {"maxOutputTokens": 8, "candidateCount": 2}}, 16),
        ("gemini", {"generation_config": {"max_output_tokens": 8}}, 8),
    ],
)
def test_max_output_tokens(name: str, body: dict[str, Any], tokens: int | None) -> None:
    assert FORMATS[name].max_output_tokens(body) == tokens


@each_format
def test_no_bound(fmt: UsageFormat) -> None:
    assert fmt.max_output_tokens({}) is None


def test_prompt_tokens_of_text() -> None:
    fmt = FORMATS["openai_completions"]
    assert fmt.prompt_tokens_estimate(0, {}) == 1
    assert fmt.prompt_tokens_estimate(401, {}) == 101
    text = "x" * 100_000
    assert fmt.prompt_tokens_estimate(100_000, {"messages": [{"content": text}]}) == 25_000


_MEDIA = "A" * 1_000_000


@pytest.mark.parametrize(
    ("part", "most"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + _MEDIA}}, 1_700),
        ({"type": "input_image", "image_url": "data:image/png;base64," + _MEDIA}, 1_700),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _MEDIA}}, 1_700),
        ({"inlineData": {"mimeType": "image/png", "data": _MEDIA}}, 1_700),
        ({"role": "user", "content": "what?", "images": [_MEDIA]}, 1_700),
        ({"type": "input_audio", "input_audio": {"data": _MEDIA, "format": "wav"}}, 8_300),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64," + _MEDIA}}, 8_300),
    ],
)
def test_media_is_not_text(part: dict[str, Any], most: int) -> None:
    estimate = FORMATS["openai_completions"].prompt_tokens_estimate(1_000_200, {"messages": [{"content": [part]}]})
    assert 1_600 <= estimate <= most


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": _MEDIA},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": _MEDIA}},
    ],
)
def test_text_is_never_taken_for_media(part: dict[str, Any]) -> None:
    body = {"messages": [{"content": [part]}]}
    assert FORMATS["anthropic_messages"].prompt_tokens_estimate(1_000_000, body) == 250_000


def test_error_bodies() -> None:
    openai = {"error": {"message": "No.", "type": "rate_limit_error", "param": None, "code": "rate_limited"}}
    for name in ("openai_completions", "openai_responses", "deepseek", None, "unknown"):
        assert error_body(name, 429, "rate_limited", "No.") == openai
    assert error_body("mistral", 429, "rate_limited", "No.") == {"object": "error", **openai["error"]}
    anthropic = {"type": "error", "error": {"type": "rate_limit_error", "message": "No."}}
    assert error_body("anthropic_messages", 429, "rate_limited", "No.") == anthropic
    gemini = {"error": {"code": 429, "message": "No.", "status": "RESOURCE_EXHAUSTED"}}
    assert error_body("gemini", 429, "rate_limited", "No.") == gemini
    assert error_body("ollama", 429, "rate_limited", "No.") == {"error": "No."}


@pytest.mark.parametrize(
    ("status", "openai", "anthropic", "google"),
    [
        (400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
        (401, "authentication_error", "authentication_error", "UNAUTHENTICATED"),
        (402, "insufficient_quota", "billing_error", "FAILED_PRECONDITION"),
        (403, "permission_error", "permission_error", "PERMISSION_DENIED"),
        (404, "not_found_error", "not_found_error", "NOT_FOUND"),
        (413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
        (503, "server_error", "api_error", "UNAVAILABLE"),
        (500, "server_error", "api_error", "INTERNAL"),
    ],
)
def test_words_by_status(status: int, openai: str, anthropic: str, google: str) -> None:
    assert error_body("openai_completions", status, "c", "m")["error"]["type"] == openai
    assert error_body("anthropic_messages", status, "c", "m")["error"]["type"] == anthropic
    assert error_body("gemini", status, "c", "m")["error"]["status"] == google


@each_format
def test_our_own_error_body_is_read_back_as_an_error(fmt: UsageFormat) -> None:
    seen = reduce(fmt, JSON, [json.dumps(fmt.error_body(503, "upstream", "free text")).encode()])
    assert seen.error
    assert "free" not in seen.error
    assert seen.usage is None


HI: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("name", "body", "tokens", "changed"),
    [
        ("openai_completions", {"messages": HI, "max_tokens": 500}, 20, {"max_tokens": 20}),
        ("openai_completions", {"messages": HI, "max_completion_tokens": 500}, 20, {"max_completion_tokens": 20}),
        ("openai_completions", {"messages": HI, "n": 3}, 20, {"max_completion_tokens": 6}),
        ("openai_completions", {"prompt": "Hi", "best_of": 4}, 20, {"max_tokens": 5}),
        ("openai_completions", {"prompt": ["Hi", "Ho"], "n": 2}, 20, {"max_tokens": 5}),
        ("openai_completions", {"prompt": [[1, 2], [3]]}, 20, {"max_tokens": 10}),
        ("openai_completions", {"prompt": [1, 2, 3]}, 20, {"max_tokens": 20}),
        (
            "openai_completions",
            {"messages": HI, "max_tokens": 5, "max_completion_tokens": 500},
            4,
            {"max_tokens": 4, "max_completion_tokens": 4},
        ),
        ("deepseek", {"messages": HI}, 20, {"max_tokens": 20}),
        ("mistral", {"messages": HI, "max_tokens": None}, 20, {"max_tokens": 20}),
        ("openai_responses", {"input": "Hi"}, 20, {"max_output_tokens": 20}),
        ("anthropic_messages", {"messages": HI, "max_tokens": 500}, 20, {"max_tokens": 20}),
        ("gemini", {"contents": []}, 20, {"generationConfig": {"maxOutputTokens": 20}}),
        (
            "gemini",
            {"contents": [], "generation_config": {"max_output_tokens": 90, "candidate_count": 2, "top_k": 1}},
            21,
            {"generation_config": {"max_output_tokens": 10, "candidate_count": 2, "top_k": 1}},
        ),
        ("ollama", {"messages": HI, "options": {"seed": 1}}, 20, {"options": {"seed": 1, "num_predict": 20}}),
        ("ollama", {"prompt": "Hi", "options": None}, 20, {"options": {"num_predict": 20}}),
    ],
)
def test_output_is_bounded_in_the_format_s_own_field(
    name: str, body: dict[str, Any], tokens: int, changed: dict[str, Any]
) -> None:
    fmt, before = FORMATS[name], json.dumps(body)
    bounded = fmt.bound_output(body, tokens)
    assert bounded == {**body, **changed}
    assert json.dumps(body) == before
    assert 0 < (fmt.max_output_tokens(bounded) or 0) <= tokens


def test_a_hold_covers_every_prompt_of_a_legacy_completion() -> None:
    body = {"prompt": ["one", "two", "three"], "n": 10**12, "max_tokens": 7}
    assert FORMATS["openai_completions"].max_output_tokens({**body, "n": 2}) == 42
    assert (FORMATS["openai_completions"].max_output_tokens(body) or 0) >= 10**11


@pytest.mark.parametrize(
    ("name", "body", "least"),
    [
        ("openai_completions", {"messages": HI}, 1),
        ("openai_completions", {"messages": HI, "n": 3}, 3),
        ("openai_completions", {"input": "an embedding"}, None),
        ("mistral", {"inputs": ["an embedding"]}, None),
        ("openai_responses", {"input": "Hi"}, 16),
        ("anthropic_messages", {"messages": HI, "max_tokens": 500}, 1),
        ("anthropic_messages", {"messages": HI}, None),
        (
            "anthropic_messages",
            {"messages": HI, "max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 1024}},
            1025,
        ),
        (
            "anthropic_messages",
            {"messages": HI, "max_tokens": 5000, "thinking": {"type": "disabled", "budget_tokens": 1024}},
            1,
        ),
        ("gemini", {"contents": [], "generationConfig": {"candidateCount": 2}}, 2),
        ("gemini", {"content": {}}, None),
        ("ollama", {"prompt": "Hi"}, 1),
        ("ollama", {"input": "an embedding"}, None),
    ],
)
def test_the_least_bound_is_the_provider_s(name: str, body: dict[str, Any], least: int | None) -> None:
    assert FORMATS[name].least_output_tokens(body) == least
    if least is not None:
        assert FORMATS[name].max_output_tokens(FORMATS[name].bound_output(body, least)) == least
