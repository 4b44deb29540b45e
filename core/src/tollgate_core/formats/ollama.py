"""Ollama's own API: NDJSON by default, the counts in the line that says `"done": true`.

`prompt_eval_count` and `eval_count` stand at the top of that line (Ollama's API documentation); the durations
beside them are nanoseconds and no part of usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollgate_core.formats.base import UsageFormat, bounded
from tollgate_core.formats.counts import count_at
from tollgate_core.formats.errors import ollama_error
from tollgate_core.formats.narrow import as_object
from tollgate_core.formats.reduction import Reduction


class Ollama(UsageFormat):
    """`POST /api/chat`, `/api/generate`, `/api/embed`."""

    name = "ollama"
    markers = (b'"done"', b'eval_count"', b'"error"')
    inert = {b'"done"': (b":false", b": false")}  # noqa: RUF012 - typed as ClassVar in the base
    shape = {"prompt_eval_count": 0, "eval_count": 0}  # noqa: RUF012

    def observe(self, event: Mapping[str, Any], seen: Reduction) -> None:
        seen.take_model(event.get("model"))
        seen.take_usage({key: event[key] for key in self.shape if key in event}, self.shape)
        if event.get("done") is True:
            seen.terminal = True
        if event.get("error"):
            seen.take_error()

    def total(self, raw: Mapping[str, Any]) -> int:
        return count_at(raw, "prompt_eval_count") + count_at(raw, "eval_count")

    def dimensions(self, raw: Mapping[str, Any]) -> dict[str, int]:
        return {"input": count_at(raw, "prompt_eval_count"), "output": count_at(raw, "eval_count")}

    def estimate(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        return {"prompt_eval_count": input_tokens, "eval_count": output_tokens}

    def is_stream(self, body: Mapping[str, Any], path: str) -> bool:
        """Ollama streams unless told otherwise; embeddings never stream."""
        return body.get("stream") is not False and "/embed" not in path

    def max_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """Read `options.num_predict`; negative means no bound."""
        return bounded(as_object(body.get("options")).get("num_predict"), 1)

    def least_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """Embeddings have `input` instead."""
        return 1 if "messages" in body or "prompt" in body else None

    def bound_output(self, body: Mapping[str, Any], tokens: int) -> dict[str, Any]:
        return {**body, "options": {**as_object(body.get("options")), "num_predict": tokens}}

    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:  # noqa: ARG002 - text is all it has
        return ollama_error(message)
