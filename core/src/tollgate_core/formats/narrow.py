"""Narrow decoded JSON to the types we rely on. Anything of another type is treated as absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

LONGEST_NAME = 256


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a JSON value is an object."""
    return isinstance(value, Mapping)


def as_object(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one."""
    return value if is_object(value) else {}


def as_array(value: object) -> Sequence[Any]:
    """Return a JSON array, or an empty one."""
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()


def as_name(value: object) -> str | None:
    """Return a name such as a model id: a non-empty string of at most 256 characters, else None."""
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME else None


def as_word(value: object) -> str | None:
    """Return a machine-readable word such as an error type, else None: free text never passes."""
    if isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() and value.replace(".", "_").isidentifier():
        return value
    return None
