"""What the chat-completions family (OpenAI, DeepSeek, Mistral and their many clones) has in common.

`usage` stands at the top of the document, or of a late chunk of the stream. Cached and audio tokens are part of
`prompt_tokens`; reasoning, audio and rejected prediction tokens are part of `completion_tokens` (OpenAI's API
reference, "The chat completion object"). Embeddings and legacy completions report the same fields.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from tollgate_core.formats.base import UsageFormat, bounded
from tollgate_core.formats.counts import LARGEST_COUNT, carve, count_at, count_or_none
from tollgate_core.formats.errors import openai_error
from tollgate_core.formats.narrow import as_array, as_object
from tollgate_core.formats.reduction import Reduction

CHAT_SHAPE: Mapping[str, Any] = {
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "total_tokens": 0,
    "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


_BOUNDS = ("max_completion_tokens", "max_tokens")


def _answers(body: Mapping[str, Any]) -> int:
    """Return how many answers are generated. Legacy completions take many prompts at once, texts or lists of tokens."""
    prompts = [prompt for prompt in as_array(body.get("prompt")) if not isinstance(prompt, int)]
    times = max(count_or_none(body.get("n")) or 1, count_or_none(body.get("best_of")) or 1)
    return min(times * max(len(prompts), 1), LARGEST_COUNT)


class ChatCompletions(UsageFormat, ABC):
    """The shared core; a provider's module adds its name and what differs."""

    markers = (b'"usage"', b"[DONE]", b'"error"')
    inert = {b'"usage"': (b":null", b": null")}  # noqa: RUF012 - typed as ClassVar in the base
    shape = CHAT_SHAPE
    bound_field: ClassVar[str] = "max_tokens"
    """What a chat without a bound gets one in."""

    def observe(self, event: Mapping[str, Any], seen: Reduction) -> None:
        seen.take_model(event.get("model"))
        seen.take_usage(event.get("usage"), self.shape)
        error = event.get("error")
        if error:
            detail = as_object(error)
            seen.take_error(detail.get("type"), detail.get("code"))
        elif event.get("object") == "error":  # Mistral's errors are not nested
            seen.take_error(event.get("type"), event.get("code"))

    def cached(self, raw: Mapping[str, Any]) -> int:
        """Return the prompt tokens that were read from a cache."""
        return count_at(raw, "prompt_tokens_details", "cached_tokens")

    def prompt(self, raw: Mapping[str, Any]) -> int:
        """Return all prompt tokens."""
        return count_at(raw, "prompt_tokens")

    def total(self, raw: Mapping[str, Any]) -> int:
        return count_at(raw, "total_tokens") or self.prompt(raw) + count_at(raw, "completion_tokens")

    def dimensions(self, raw: Mapping[str, Any]) -> dict[str, int]:
        total = self.total(raw)
        prompt = min(self.prompt(raw), total)
        said, answered = "prompt_tokens_details", "completion_tokens_details"
        inputs = (
            ("cache_read", self.cached(raw)),
            ("cache_write", count_at(raw, said, "cache_write_tokens")),
            ("audio_input", count_at(raw, said, "audio_tokens")),
            ("image_input", count_at(raw, said, "image_tokens")),
        )
        outputs = (
            ("reasoning", count_at(raw, answered, "reasoning_tokens")),
            ("audio_output", count_at(raw, answered, "audio_tokens")),
            ("prediction_rejected", count_at(raw, answered, "rejected_prediction_tokens")),
        )
        return carve(prompt, inputs, "input") | carve(total - prompt, outputs, "output")

    def estimate(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        return {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        }

    def max_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        # Which of the two an upstream heeds is not known here: the larger one is held.
        limits = [count_or_none(body.get(name)) or 0 for name in _BOUNDS]
        return bounded(max(limits), _answers(body))

    def least_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """Embeddings have no output."""
        return _answers(body) if "messages" in body or "prompt" in body else None

    def bound_output(self, body: Mapping[str, Any], tokens: int) -> dict[str, Any]:
        """Lower the fields that are there: a model may refuse the other one. Where there is none, legacy completions
        know `max_tokens` alone."""
        given = [name for name in _BOUNDS if body.get(name) is not None]
        names = given or [self.bound_field if "messages" in body else "max_tokens"]
        return {**body, **dict.fromkeys(names, tokens // _answers(body))}

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        return openai_error(status, code, message)


class UsageOnRequest(ChatCompletions, ABC):
    """A provider that streams usage only with `stream_options.include_usage` (OpenAI's API reference)."""

    def force_usage(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        if self.client_asked_usage(body):
            return None
        return {**body, "stream_options": {**as_object(body.get("stream_options")), "include_usage": True}}

    def client_asked_usage(self, body: Mapping[str, Any]) -> bool:
        if body.get("stream") is not True:
            return True
        return as_object(body.get("stream_options")).get("include_usage") is True
