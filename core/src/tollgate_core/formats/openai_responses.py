"""OpenAI's Responses API.

Streaming events carry the response object, `usage` included, in `response`; the document is that object itself
(OpenAI's API reference, "Streaming events" and "The response object"). Details are subsets, as in chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollgate_core.formats.base import UsageFormat, bounded
from tollgate_core.formats.counts import carve, count_at
from tollgate_core.formats.errors import openai_error
from tollgate_core.formats.narrow import as_object, is_object
from tollgate_core.formats.reduction import Reduction

#: The API refuses a smaller `max_output_tokens`.
_LEAST_OUTPUT = 16
_TERMINAL = frozenset({"completed", "incomplete", "failed", "cancelled"})


class OpenAIResponses(UsageFormat):
    """`POST /v1/responses`, streaming, not streaming, and polled."""

    name = "openai_responses"
    # Every event that carries a response object has the key "response"; deltas only have "response.…".
    markers = (b'"response"', b'"error"')
    shape = {  # noqa: RUF012 - typed as ClassVar in the base
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        "total_tokens": 0,
    }

    def observe(self, event: Mapping[str, Any], seen: Reduction) -> None:
        kind = event.get("type")
        if event.get("object") == "response":
            self._observe_response(event, seen)
        elif is_object(event.get("response")):
            self._observe_response(event["response"], seen)
            if isinstance(kind, str) and kind.removeprefix("response.") in _TERMINAL:
                seen.terminal = True
        elif kind == "error" or event.get("error"):
            detail = as_object(event.get("error"))
            seen.take_error(detail.get("code"), detail.get("type"), event.get("code"))

    def observe_document(self, document: Mapping[str, Any], seen: Reduction) -> None:
        """A background response may still be in progress: then the document is not terminal."""
        self.observe(document, seen)
        seen.terminal = document.get("status") not in ("queued", "in_progress")

    def _observe_response(self, response: Mapping[str, Any], seen: Reduction) -> None:
        seen.take_model(response.get("model"))
        seen.take_usage(response.get("usage"), self.shape)
        error = as_object(response.get("error"))
        if error:
            seen.take_error(error.get("code"), error.get("type"))

    def total(self, raw: Mapping[str, Any]) -> int:
        return count_at(raw, "total_tokens") or count_at(raw, "input_tokens") + count_at(raw, "output_tokens")

    def dimensions(self, raw: Mapping[str, Any]) -> dict[str, int]:
        total = self.total(raw)
        prompt = min(count_at(raw, "input_tokens"), total)
        read, written = "input_tokens_details", "output_tokens_details"
        inputs = (
            ("cache_read", count_at(raw, read, "cached_tokens")),
            ("cache_write", count_at(raw, read, "cache_write_tokens")),
            ("audio_input", count_at(raw, read, "audio_tokens")),
            ("image_input", count_at(raw, read, "image_tokens")),
        )
        outputs = (
            ("reasoning", count_at(raw, written, "reasoning_tokens")),
            ("audio_output", count_at(raw, written, "audio_tokens")),
            ("image_output", count_at(raw, written, "image_tokens")),
        )
        return carve(prompt, inputs, "input") | carve(total - prompt, outputs, "output")

    def estimate(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        return {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        }

    def max_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        return bounded(body.get("max_output_tokens"), 1)

    def least_output_tokens(self, body: Mapping[str, Any]) -> int | None:  # noqa: ARG002 - every request has output
        return _LEAST_OUTPUT

    def bound_output(self, body: Mapping[str, Any], tokens: int) -> dict[str, Any]:
        return {**body, "max_output_tokens": tokens}

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        return openai_error(status, code, message)
