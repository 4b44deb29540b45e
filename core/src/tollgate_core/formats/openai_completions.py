"""OpenAI chat completions, and everything that speaks it: vLLM, Azure, Groq, OpenRouter, embeddings."""

from __future__ import annotations

from tollgate_core.formats.chat import UsageOnRequest


class OpenAICompletions(UsageOnRequest):
    """`POST /v1/chat/completions`, `/v1/completions`, `/v1/embeddings`."""

    name = "openai_completions"
    bound_field = "max_completion_tokens"  # reasoning models refuse max_tokens
