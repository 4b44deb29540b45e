"""LLM wire formats: what usage looks like in each, and how it is read from a response as its bytes pass.
One module per format; incremental parsers of SSE, NDJSON and JSON that feed a Reduction. No I/O, asyncio or clock.
Prices, metrics and expressions live elsewhere: this package only says what a provider reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tollgate_core.formats.anthropic_messages import AnthropicMessages
from tollgate_core.formats.base import UsageFormat
from tollgate_core.formats.deepseek import DeepSeek
from tollgate_core.formats.errors import openai_error
from tollgate_core.formats.gemini import Gemini
from tollgate_core.formats.mistral import Mistral
from tollgate_core.formats.ollama import Ollama
from tollgate_core.formats.openai_completions import OpenAICompletions
from tollgate_core.formats.openai_responses import OpenAIResponses
from tollgate_core.formats.parser import BodyParser, body_parser
from tollgate_core.formats.reduction import Reduction

_ALL: tuple[UsageFormat, ...] = (
    OpenAICompletions(),
    OpenAIResponses(),
    AnthropicMessages(),
    Gemini(),
    Ollama(),
    DeepSeek(),
    Mistral(),
)
FORMATS: Mapping[str, UsageFormat] = MappingProxyType({fmt.name: fmt for fmt in _ALL})


def error_body(format_name: str | None, status: int, code: str, message: str) -> dict[str, Any]:
    """Return an error in the shape of a format; OpenAI's, the most widely understood, for None or an unknown one."""
    fmt = FORMATS.get(format_name) if format_name else None
    return fmt.error_body(status, code, message) if fmt else openai_error(status, code, message)


__all__ = ["FORMATS", "BodyParser", "Reduction", "UsageFormat", "body_parser", "error_body"]
