"""Reading JSON of unknown shape, and writing it, without letting untyped values spread."""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import orjson

Json: TypeAlias = dict[str, Any]


def as_object(value: object) -> Json:
    """The value if it is a JSON object, else an empty one: optional parts of a request need no special case."""
    return cast(Json, value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value if it is a JSON array, else an empty one."""
    return cast(list[object], value) if isinstance(value, list) else []


def as_int(value: object) -> int | None:
    """The value if it is a whole number; a JSON true is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def dumps(value: object, *, lines: bool = False) -> bytes:
    """Compact JSON, or with a newline wherever JSON allows one."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if lines else 0)


def loads(raw: bytes | str) -> Any:
    """Parse JSON; raises ValueError when it is not JSON."""
    return orjson.loads(raw)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, int | float]:
    """Every number in nested usage under its dotted name, so that unlike formats can be summed the same way."""
    flat: dict[str, int | float] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(cast(Json, value), f"{prefix}{key}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            flat[prefix + key] = value
    return flat
