"""The contract of a wire format: how it reports usage, and how requests and errors look in it."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from tollgate_core.formats.counts import LARGEST_COUNT, count_or_none
from tollgate_core.formats.narrow import as_name, as_object, is_object
from tollgate_core.formats.prompt import estimate_prompt_tokens
from tollgate_core.formats.reduction import Reduction, Shape


class UsageFormat(ABC):
    """One LLM wire format. Stateless; the state of a response lives in its Reduction."""

    name: ClassVar[str]
    markers: ClassVar[tuple[bytes, ...]]
    """An event that holds none of these byte strings changes nothing, so it is not parsed."""
    inert: ClassVar[Mapping[bytes, tuple[bytes, ...]]] = {}
    """What makes a marker harmless if it follows at once: `:null` behind `"usage"`."""
    shape: ClassVar[Shape]
    """The declared usage fields."""

    @property
    def usage_function(self) -> str:
        """The name of the usage function in expressions."""
        return f"{self.name}_usage"

    # --- the response ---

    @abstractmethod
    def observe(self, event: Mapping[str, Any], seen: Reduction) -> None:
        """Fold one decoded event, or one whole document, into the reduction."""

    def observe_document(self, document: Mapping[str, Any], seen: Reduction) -> None:
        """Fold the one JSON object that is the whole body of a response that is not streamed."""
        self.observe(document, seen)
        seen.terminal = True

    @abstractmethod
    def total(self, raw: Mapping[str, Any]) -> int:
        """Return the provider's own total, or the sum of its parts where it sends none (or 0 beside parts)."""

    @abstractmethod
    def dimensions(self, raw: Mapping[str, Any]) -> dict[str, int]:
        """Return disjoint dimensions that sum to `total(raw)`.

        Where the provider's total exceeds its parts, the difference is `output`; where it is smaller, output
        gives way first. `input` and `output` are always present, others only if they are not zero.
        """

    @abstractmethod
    def estimate(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        """Return raw usage as the provider would have reported it."""

    def usage_fields(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return raw usage with every declared field present, and the provider's further fields carried along."""
        return _overlay(self.shape, raw)

    # --- the request ---

    def request_model(self, body: Mapping[str, Any], path_params: Mapping[str, str]) -> str | None:
        """Return the requested model: of the body, else of the path (Azure names a deployment there)."""
        params = path_params
        return as_name(body.get("model")) or as_name(params.get("model")) or as_name(params.get("deployment"))

    def is_stream(self, body: Mapping[str, Any], path: str) -> bool:  # noqa: ARG002 - other formats tell by the path
        """Return whether the client asks for a stream."""
        return body.get("stream") is True

    @abstractmethod
    def max_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """Return the most output tokens that the request allows, None if it sets no bound."""

    @abstractmethod
    def least_output_tokens(self, body: Mapping[str, Any]) -> int | None:
        """Return the smallest `max_output_tokens` that the provider takes, None where the request can't be bounded."""

    @abstractmethod
    def bound_output(self, body: Mapping[str, Any], tokens: int) -> dict[str, Any]:
        """Return the body with all its answers together bounded to at most `tokens` output tokens, which are at least
        `least_output_tokens`."""

    def prompt_tokens_estimate(self, body_bytes: int, body: Mapping[str, Any]) -> int:
        """Return a rough count of prompt tokens, for holds: a quarter of the text's bytes, at least 1."""
        return estimate_prompt_tokens(body_bytes, body)

    def force_usage(self, body: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """Return the body with usage reporting forced, None if nothing need change."""
        return None

    def client_asked_usage(self, body: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Return whether the client itself expects usage in the response."""
        return True

    @abstractmethod
    def error_body(self, status: int, code: str, message: str) -> dict[str, Any]:
        """Return an error in the shape that this provider's SDK parses."""


def bounded(limit: object, times: object) -> int | None:
    """Return an output limit times the number of answers asked for; None where no usable limit is set."""
    tokens = count_or_none(limit)
    return None if not tokens else min(tokens * max(count_or_none(times) or 1, 1), LARGEST_COUNT // 2)


def _overlay(shape: Shape, raw: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {key: copy.deepcopy(value) for key, value in raw.items() if key not in shape}
    for key, declared in shape.items():
        value = raw.get(key)
        if is_object(declared):
            fields[key] = _overlay(declared, as_object(value))
        elif isinstance(declared, list):
            fields[key] = copy.deepcopy(value) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType]
        else:
            fields[key] = count_or_none(value) or 0
    return fields
