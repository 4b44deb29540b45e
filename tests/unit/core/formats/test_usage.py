"""Normalised dimensions, declared fields, and numbers that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.formats.streams import SSE, event, reduce
from tollgate_core.formats import FORMATS, Reduction, UsageFormat

each_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS.keys())
_DIMENSIONS = {
    *("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning", "audio_input", "audio_output"),
    *("image_input", "image_output", "video_input", "video_output", "tool_use_input", "prediction_rejected"),
}
_counts = st.one_of(st.integers(0, 50), st.integers(0, 10**12))


def _raw(shape: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any raw usage of a format: fields missing, contradictory, huge."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for key, declared in shape.items():
        if isinstance(declared, dict):
            fields[key] = _raw(declared)
        elif isinstance(declared, list):
            entry = st.fixed_dictionaries(
                {"modality": st.sampled_from(["TEXT", "AUDIO", "IMAGE", "VIDEO"]), "tokenCount": _counts}
            )
            fields[key] = st.lists(entry, max_size=4)
        else:
            fields[key] = _counts
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def _format_and_raw(draw: st.DrawFn) -> tuple[UsageFormat, dict[str, Any]]:
    fmt = draw(st.sampled_from(list(FORMATS.values())))
    return fmt, draw(_raw(dict(fmt.shape)))


@settings(max_examples=600, deadline=None)
@given(_format_and_raw())
def test_dimensions_sum_to_the_total(case: tuple[UsageFormat, dict[str, Any]]) -> None:
    fmt, raw = case
    dimensions = fmt.dimensions(raw)
    assert sum(dimensions.values()) == fmt.total(raw)
    assert min(dimensions.values()) >= 0
    assert {"input", "output"} <= dimensions.keys() <= _DIMENSIONS


@each_format
def test_an_estimate_is_usage_as_reported(fmt: UsageFormat) -> None:
    raw = fmt.estimate(120, 30)
    assert fmt.total(raw) == 150
    assert fmt.dimensions(raw) == {"input": 120, "output": 30}


@each_format
def test_every_declared_field_is_present(fmt: UsageFormat) -> None:
    assert fmt.usage_fields({}) == fmt.shape
    assert fmt.usage_fields({"cost": 0.25, "nested": {"n": 1}}) == {**fmt.shape, "cost": 0.25, "nested": {"n": 1}}
    assert fmt.usage_function == f"{fmt.name}_usage"


def test_usage_fields_are_a_copy() -> None:
    raw = {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2, "image_tokens": 1}}
    fields = FORMATS["openai_completions"].usage_fields(raw)
    details = fields["prompt_tokens_details"]
    assert details == {"cached_tokens": 2, "cache_write_tokens": 0, "audio_tokens": 0, "image_tokens": 1}
    details["cached_tokens"] = 9
    assert raw["prompt_tokens_details"] == {"cached_tokens": 2, "image_tokens": 1}
    assert FORMATS["openai_completions"].usage_fields({})["prompt_tokens_details"]["cached_tokens"] == 0


@pytest.mark.parametrize(
    ("raw", "dimensions"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 20}, {"input": 10, "output": 10}),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 12}, {"input": 10, "output": 2}),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 4}, {"input": 4, "output": 0}),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 0}, {"input": 10, "output": 5}),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}},
            {"input": 0, "cache_read": 10, "output": 0},
        ),
    ],
)
def test_contradictory_numbers(raw: dict[str, Any], dimensions: dict[str, int]) -> None:
    assert FORMATS["openai_completions"].dimensions(raw) == dimensions


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-1, "prompt_tokens is negative"),
        (-1.0, "prompt_tokens is negative"),
        ("12", "prompt_tokens is not a number"),
        (True, "prompt_tokens is not a number"),
        ([1], "prompt_tokens is not a number"),
        (float("nan"), "prompt_tokens is not a number"),
        (1.5, "prompt_tokens is not a whole number"),
        (10**12 + 1, "prompt_tokens is larger than 1e12"),
        (float("inf"), "prompt_tokens is larger than 1e12"),
        (10**400, "prompt_tokens is larger than 1e12"),
    ],
)
def test_an_invalid_number_is_refused(value: object, reason: str) -> None:
    seen = Reduction(usage={"prompt_tokens": 3})
    FORMATS["openai_completions"].observe({"usage": {"prompt_tokens": value, "completion_tokens": 4}}, seen)
    assert seen.usage == {"prompt_tokens": 3, "completion_tokens": 4}
    assert seen.invalid == reason
    FORMATS["openai_completions"].observe({"usage": {"completion_tokens": -1}}, seen)
    assert seen.invalid == reason


def test_numbers_that_are_taken() -> None:
    seen = Reduction()
    FORMATS["openai_completions"].observe({"usage": {"prompt_tokens": 3.0, "completion_tokens": 10**12}}, seen)
    assert seen.usage == {"prompt_tokens": 3, "completion_tokens": 10**12}
    assert seen.invalid is None


def test_null_keeps_and_zero_overwrites() -> None:
    seen = Reduction()
    observe = FORMATS["openai_completions"].observe
    observe(
        {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}}, seen
    )
    observe({"usage": {"prompt_tokens": None, "completion_tokens": 0, "prompt_tokens_details": None}}, seen)
    observe({"usage": {"prompt_tokens_details": {"audio_tokens": 1}}}, seen)
    assert seen.usage == {
        "prompt_tokens": 3,
        "completion_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 1},
    }


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        ([1], "usage is not an object"),
        ("much", "usage is not an object"),
        ({"prompt_tokens_details": 3}, "prompt_tokens_details is not an object"),
        ({"prompt_tokens_details": {"cached_tokens": -3}}, "prompt_tokens_details.cached_tokens is negative"),
    ],
)
def test_invalid_structure(usage: object, reason: str) -> None:
    seen = reduce("openai_completions", SSE, [event({"usage": usage})])
    assert (seen.usage, seen.invalid) == (None, reason)


def test_invalid_modalities_are_refused_as_a_whole() -> None:
    details = [{"modality": "AUDIO", "tokenCount": 3}, {"modality": "TEXT", "tokenCount": -1}]
    seen = Reduction()
    FORMATS["gemini"].observe({"usageMetadata": {"promptTokenCount": 9, "promptTokensDetails": details}}, seen)
    assert seen.usage == {"promptTokenCount": 9}
    assert seen.invalid == "promptTokensDetails is negative"


def test_further_fields_are_carried_along_but_not_text() -> None:
    usage = {
        "prompt_tokens": 1,
        "cost": 0.015,
        "service_tier": "priority",
        "note": "free text, with spaces",
        "cost_details": {"upstream": 0.01, "deeper": {"n": 1, "deepest": {"n": 1}}},
        "huge": 1e300,
        "list": [1],
    }
    seen = reduce("openai_completions", SSE, [event({"usage": usage})])
    assert seen.usage == {
        "prompt_tokens": 1,
        "cost": 0.015,
        "service_tier": "priority",
        "cost_details": {"upstream": 0.01, "deeper": {"n": 1}},
    }
    assert seen.invalid is None


def test_the_number_of_further_fields_is_bounded() -> None:
    seen = reduce("openai_completions", SSE, [event({"usage": {f"f{n}": n for n in range(1000)}})])
    assert len(seen.usage or {}) == 64


@pytest.mark.parametrize("model", ["", "m" * 257, 5, None, ["m"]])
def test_an_unusable_model_is_ignored(model: object) -> None:
    assert reduce("openai_completions", SSE, [event({"model": model})]).model is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_known_keys = st.sampled_from(
    (
        *("usage", "usageMetadata", "response", "message", "type", "object", "model", "error", "candidates", "done"),
        *("prompt_tokens", "promptTokensDetails", "cache_creation", "eval_count", "promptFeedback", "finishReason"),
    )
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(FORMATS.values())),
    st.recursive(_json, lambda i: st.dictionaries(_known_keys, i), max_leaves=9),
)
def test_observe_never_raises(fmt: UsageFormat, value: object) -> None:
    if isinstance(value, dict):
        seen = Reduction()
        fmt.observe(value, seen)
        fmt.observe_document(value, seen)
        assert sum(fmt.dimensions(seen.usage or {}).values()) == fmt.total(seen.usage or {})
