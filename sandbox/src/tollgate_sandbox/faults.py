"""Garbling usage, as a faulty or hostile provider might."""

from collections.abc import Callable
from typing import Any

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.script import UsageFault

HUGE = 9_000_000_000_000_000_000
"""Fits a signed 64-bit integer once, and overflows it when two are added."""


def spoil(document: Json, keys: frozenset[str], fault: UsageFault | None) -> Json:
    """The document with its usage garbled: at the top, and one level down where events wrap a message or response."""
    if fault is None:
        return document
    spoilt = _spoil_here(document, keys, fault)
    for wrapper in ("message", "response"):
        inner = as_object(spoilt.get(wrapper))
        if inner:
            spoilt[wrapper] = _spoil_here(inner, keys, fault)
    return spoilt


def _spoil_here(document: Json, keys: frozenset[str], fault: UsageFault) -> Json:
    if fault == "missing":
        return {key: value for key, value in document.items() if key not in keys}
    return {key: _spoil_value(value, fault) if key in keys else value for key, value in document.items()}


def _spoil_value(value: Any, fault: UsageFault) -> Any:
    return None if fault == "null" else _each_number(value, _CHANGES[fault])


def _each_number(value: Any, change: Callable[[int], int | str]) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return change(value)
    inner = as_object(value)
    return {key: _each_number(item, change) for key, item in inner.items()} if inner else value


def _negative(number: int) -> int:
    return -max(1, number)


def _huge(_number: int) -> int:
    return HUGE


_CHANGES: dict[str, Callable[[int], int | str]] = {"negative": _negative, "string": str, "huge": _huge}
