"""Google's Gemini API: `generateContent` and `streamGenerateContent`.

`usageMetadata` stands in every chunk and each replaces the one before. The total is prompt + tool-use prompt +
candidates + thoughts; cached content is part of the prompt (Google's API reference, "UsageMetadata").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollgate_core.formats.base import UsageFormat, bounded
from tollgate_core.formats.counts import carve, count_at, count_or_none
from tollgate_core.formats.errors import google_error
from tollgate_core.formats.narrow import as_array, as_name, as_object
from tollgate_core.formats.reduction import Reduction

_PARTS = ("promptTokenCount", "toolUsePromptTokenCount", "thoughtsTokenCount", "candidatesTokenCount")
_MODALITIES = {"audio": "AUDIO", "image": "IMAGE", "video": "VIDEO"}


class Gemini(UsageFormat):
    """`POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`, as SSE or as a JSON array."""

    name = "gemini"
    markers = (b'"usageMetadata"', b'"finishReason"', b'"promptFeedback"', b'"error"')
    shape = {  # noqa: RUF012 - typed as ClassVar in the base
        "promptTokenCount": 0,
        "candidatesTokenCount": 0,
        "totalTokenCount": 0,
        "cachedContentTokenCount": 0,
        "thoughtsTokenCount": 0,
        "toolUsePromptTokenCount": 0,
        "promptTokensDetails": [],
        "cacheTokensDetails": [],
        "candidatesTokensDetails": [],
        "toolUsePromptTokensDetails": [],
    }

    def observe(self, event: Mapping[str, Any], seen: Reduction) -> None:
        seen.take_model(event.get("modelVersion"))
        seen.take_usage(event.get("usageMetadata"), self.shape)
        blocked = as_object(event.get("promptFeedback")).get("blockReason")
        finished = any(as_object(one).get("finishReason") for one in as_array(event.get("candidates")))
        if blocked or finished:
            seen.terminal = True
        if event.get("error"):
            seen.take_error(as_object(event["error"]).get("status"))

    def total(self, raw: Mapping[str, Any]) -> int:
        return count_at(raw, "totalTokenCount") or sum(count_at(raw, part) for part in _PARTS)

    def dimensions(self, raw: Mapping[str, Any]) -> dict[str, int]:
        total = self.total(raw)
        sides = [(part, count_at(raw, part)) for part in _PARTS[:3]]
        split = carve(total, sides, "candidatesTokenCount")
        prompt = [("cache_read", count_at(raw, "cachedContentTokenCount")), *_inputs(raw)]
        result = carve(split.get("promptTokenCount", 0), prompt, "input")
        result |= carve(split["candidatesTokenCount"], _outputs(raw), "output")
        more = {"tool_use_input": "toolUsePromptTokenCount", "reasoning": "thoughtsTokenCount"}
        return result | {name: split[part] for name, part in more.items() if part in split}

    def estimate(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        return {
            "promptTokenCount": input_tokens,
            "candidatesTokenCount": output_tokens,
            "totalTokenCount": input_tokens + output_tokens,
        }

    def request_model(self, body: Mapping[str, Any], path_params: Mapping[str, str]) -> str | None:
        """Return the model of the path, without `models/` before and `:generateContent` behind it."""
        model = path_params.get("model", "").partition(":")[0].rpartition("/")[2]
        return as_name(model) or super().request_model(body, {})

    def is_stream(self, body: Mapping[str, Any], path: str) -> bool:  # noqa: ARG002 - the path alone tells
        return ":streamGenerateContent" in path

    def max_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """Read `generationConfig`; Google's JSON takes the snake_case names too."""
        config = _config(body)
        limit = config.get("maxOutputTokens") or config.get("max_output_tokens")
        return bounded(limit, _candidates(body))

    def least_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """Embeddings have `content` or `requests` instead of `contents`."""
        return _candidates(body) if "contents" in body else None

    def bound_output(self, body: Mapping[str, Any], tokens: int) -> dict[str, Any]:
        """Keep to the names that the request uses: Google refuses a field under both of its names."""
        names = [name for name in ("generationConfig", "generation_config") if body.get(name)] or ["generationConfig"]
        fields = [name for name in ("maxOutputTokens", "max_output_tokens") if _config(body).get(name)]
        limit = dict.fromkeys(fields or ["maxOutputTokens"], tokens // _candidates(body))
        return {**body, **{name: {**as_object(body.get(name)), **limit} for name in names}}

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:  # noqa: ARG002 - the status is the code
        return google_error(status, message)


def _config(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_object(body.get("generationConfig") or body.get("generation_config"))


def _candidates(body: Mapping[str, Any]) -> int:
    config = _config(body)
    return count_or_none(config.get("candidateCount") or config.get("candidate_count")) or 1


def _by_modality(raw: Mapping[str, Any], field: str) -> dict[str, int]:
    entries = [as_object(entry) for entry in as_array(raw.get(field))]
    return {str(entry.get("modality")): count_at(entry, "tokenCount") for entry in entries}


def _inputs(raw: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the prompt's audio, image and video tokens that were not read from the cache."""
    prompt, cached = _by_modality(raw, "promptTokensDetails"), _by_modality(raw, "cacheTokensDetails")
    fresh = {name: prompt.get(word, 0) - cached.get(word, 0) for name, word in _MODALITIES.items()}
    return [(f"{name}_input", tokens) for name, tokens in fresh.items()]


def _outputs(raw: Mapping[str, Any]) -> list[tuple[str, int]]:
    answered = _by_modality(raw, "candidatesTokensDetails")
    return [(f"{name}_output", answered.get(word, 0)) for name, word in _MODALITIES.items()]
