"""Mistral's chat completions: usage is always streamed, and `stream_options` is refused with a 422."""

from __future__ import annotations

from typing import Any

from tollgate_core.formats.chat import CHAT_SHAPE, ChatCompletions
from tollgate_core.formats.errors import mistral_error


class Mistral(ChatCompletions):
    """`POST /v1/chat/completions` and `/v1/embeddings` at Mistral."""

    name = "mistral"
    shape = {**CHAT_SHAPE, "prompt_audio_seconds": 0}  # noqa: RUF012 - seconds, not tokens

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        return mistral_error(status, code, message)
