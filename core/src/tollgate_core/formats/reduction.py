"""The running state of one response, and the rule by which reported usage is folded into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate_core.formats.counts import LARGEST_COUNT, InvalidCountError, count
from tollgate_core.formats.narrow import as_array, as_name, as_object, as_word, is_object

Shape = Mapping[str, Any]
"""Declared usage fields: `0` is a count, `[]` a list of tokens by modality, a mapping a nested object."""

_MOST_FIELDS = 64
_DEEPEST = 2
_MOST_MODALITIES = 16


@dataclass(slots=True)
class Reduction:
    """What is known about one response so far. Readable at any moment, also in the middle of a stream."""

    usage: dict[str, Any] | None = None
    """The provider's raw usage; None until a field was reported."""
    model: str | None = None
    """The served model."""
    terminal: bool = False
    """A terminal event, or a whole JSON document, was seen."""
    error: str | None = None
    """The type of the first in-band error; never a message."""
    invalid: str | None = None
    """Why reported usage was refused first, such as "prompt_tokens is negative"."""
    events: int = 0
    """Data events seen, parsed or not."""
    malformed: int = 0
    """Events that were looked at and are not JSON."""
    oversize: bool = False
    """An event or document above the size limit was skipped."""

    def take_model(self, value: object) -> None:
        """Keep the last usable name of the served model."""
        self.model = as_name(value) or self.model

    def take_error(self, *words: object) -> None:
        """Record an error under the first of `words` that is a machine-readable word."""
        if self.error is None:
            self.error = next((word for word in map(as_word, words) if word), "error")

    def take_usage(self, reported: object, shape: Shape) -> None:
        """Overwrite usage field by field; null keeps the last value, and nothing is ever added up.

        Providers repeat usage (Gemini, in each chunk) and report it cumulatively (Anthropic's message_delta).
        """
        if reported is None:
            return
        if not is_object(reported):
            self._refuse("usage is not an object")
            return
        merged: dict[str, Any] = self.usage if self.usage is not None else {}
        self._merge(merged, reported, shape, "")
        if merged:
            self.usage = merged

    def _merge(self, into: dict[str, Any], reported: Mapping[str, Any], shape: Shape, prefix: str) -> None:
        for key, value in reported.items():
            if value is None or value == {}:  # Mistral writes {} where it means null
                continue
            name = prefix + key
            declared = shape.get(key)
            if declared is None:
                self._merge_unknown(into, key, value, name)
            elif is_object(declared):
                self._merge_nested(into, key, value, declared, name)
            elif isinstance(declared, list):
                self._merge_modalities(into, key, value, name)
            else:
                self._merge_count(into, key, value, name)

    def _merge_nested(self, into: dict[str, Any], key: str, value: object, shape: Shape, name: str) -> None:
        if not is_object(value):
            self._refuse(f"{name} is not an object")
            return
        held = into.get(key)
        nested: dict[str, Any] = held if isinstance(held, dict) else {}  # pyright: ignore[reportUnknownVariableType]
        self._merge(nested, value, shape, f"{name}.")
        if nested:
            into[key] = nested

    def _merge_count(self, into: dict[str, Any], key: str, value: object, name: str) -> None:
        try:
            into[key] = count(value)
        except InvalidCountError as reason:
            self._refuse(f"{name} {reason}")

    def _merge_modalities(self, into: dict[str, Any], key: str, value: object, name: str) -> None:
        """Take Gemini's `[{"modality": "AUDIO", "tokenCount": 9}]` as a whole, or not at all."""
        taken: list[dict[str, Any]] = []
        try:
            for entry in map(as_object, as_array(value)[:_MOST_MODALITIES]):
                taken.append({"modality": as_word(entry.get("modality")) or "", "tokenCount": count(_tokens(entry))})
        except InvalidCountError as reason:
            self._refuse(f"{name} {reason}")
            return
        into[key] = taken

    def _merge_unknown(self, into: dict[str, Any], key: str, value: object, name: str) -> None:
        """Carry a field that we don't know along, if it is a number, a word or an object of these."""
        if key not in into and (len(into) >= _MOST_FIELDS or as_name(key) is None):
            return
        if is_object(value):
            if name.count(".") < _DEEPEST:
                self._merge_nested(into, key, value, {}, name)
        elif isinstance(value, int | float):
            if math.isfinite(value) and abs(value) <= LARGEST_COUNT:
                into[key] = value
        elif (word := as_word(value)) is not None:
            into[key] = word

    def _refuse(self, reason: str) -> None:
        if self.invalid is None:
            self.invalid = reason


def _tokens(entry: Mapping[str, Any]) -> object:
    """Return the count of one modality; protobuf's JSON leaves a zero out."""
    tokens = entry.get("tokenCount")
    return 0 if tokens is None else tokens
