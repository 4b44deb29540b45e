"""Anthropic's Messages API.

`message_start` carries provisional usage, `message_delta` cumulative usage (Anthropic's documentation, "Streaming
messages"). Cache reads and writes are not part of `input_tokens` but come on top ("Prompt caching"); writes are
split by time to live in `cache_creation`. Thinking is part of `output_tokens`. `server_tool_use` counts calls, not
tokens. Not counted: `iterations` of the compaction beta, which the top-level fields leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollgate_core.formats.base import UsageFormat, bounded
from tollgate_core.formats.counts import carve, count_at, count_or_none
from tollgate_core.formats.errors import anthropic_error
from tollgate_core.formats.narrow import as_object
from tollgate_core.formats.reduction import Reduction


class AnthropicMessages(UsageFormat):
    """`POST /v1/messages`."""

    name = "anthropic_messages"
    markers = (b'"usage"', b'"message_stop"', b'"error"')
    shape = {  # noqa: RUF012 - typed as ClassVar in the base
        "input_tokens": 0,
        "output_tokens": 0,
        "output_tokens_details": {"thinking_tokens": 0},
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
    }

    def observe(self, event: Mapping[str, Any], seen: Reduction) -> None:
        kind = event.get("type")
        if kind == "message_start":
            self._observe_message(as_object(event.get("message")), seen)
        elif kind == "message_delta":
            seen.take_usage(event.get("usage"), self.shape)
        elif kind == "message_stop":
            seen.terminal = True
        elif kind == "message":
            self._observe_message(event, seen)
        elif kind == "error":
            seen.take_error(as_object(event.get("error")).get("type"))

    def _observe_message(self, message: Mapping[str, Any], seen: Reduction) -> None:
        seen.take_model(message.get("model"))
        seen.take_usage(message.get("usage"), self.shape)

    def total(self, raw: Mapping[str, Any]) -> int:
        return sum(self.dimensions(raw).values())

    def dimensions(self, raw: Mapping[str, Any]) -> dict[str, int]:
        short = count_at(raw, "cache_creation", "ephemeral_5m_input_tokens")
        long = count_at(raw, "cache_creation", "ephemeral_1h_input_tokens")
        written = count_at(raw, "cache_creation_input_tokens") or short + long
        thought = count_at(raw, "output_tokens_details", "thinking_tokens")
        result = {"input": count_at(raw, "input_tokens")}
        result |= carve(count_at(raw, "output_tokens"), [("reasoning", thought)], "output")
        result |= carve(written, [("cache_write_1h", long)], "cache_write")
        result["cache_read"] = count_at(raw, "cache_read_input_tokens")
        return {name: tokens for name, tokens in result.items() if tokens or name in ("input", "output")}

    def estimate(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        return {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        }

    def max_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        return bounded(body.get("max_tokens"), 1)

    def least_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """`max_tokens` is required, and must exceed the budget for thinking ("Extended thinking")."""
        if not count_or_none(body.get("max_tokens")):
            return None
        thinking = as_object(body.get("thinking"))
        return 1 + (count_at(thinking, "budget_tokens") if thinking.get("type") == "enabled" else 0)

    def bound_output(self, body: Mapping[str, Any], tokens: int) -> dict[str, Any]:
        return {**body, "max_tokens": tokens}

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:  # noqa: ARG002 - it has no code
        return anthropic_error(status, message)
