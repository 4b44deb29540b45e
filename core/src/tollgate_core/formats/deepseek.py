"""DeepSeek's chat completions, with its own cache fields.

`prompt_cache_hit_tokens` and `prompt_cache_miss_tokens` sum to `prompt_tokens` (DeepSeek's API documentation,
"Create Chat Completion").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollgate_core.formats.chat import CHAT_SHAPE, UsageOnRequest
from tollgate_core.formats.counts import count_at


class DeepSeek(UsageOnRequest):
    """`POST /chat/completions` at DeepSeek."""

    name = "deepseek"
    shape = {**CHAT_SHAPE, "prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 0}  # noqa: RUF012

    def prompt(self, raw: Mapping[str, Any]) -> int:
        hit_and_miss = count_at(raw, "prompt_cache_hit_tokens") + count_at(raw, "prompt_cache_miss_tokens")
        return count_at(raw, "prompt_tokens") or hit_and_miss

    def cached(self, raw: Mapping[str, Any]) -> int:
        return count_at(raw, "prompt_cache_hit_tokens") or super().cached(raw)

    def estimate(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        cache = {"prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": input_tokens}
        return super().estimate(input_tokens, output_tokens) | cache
