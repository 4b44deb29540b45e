"""Numbers as providers report them: what is accepted, and how a whole is split into disjoint parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tollgate_core.formats.narrow import is_object

LARGEST_COUNT = 10**12
"""A single response that claims more than this is broken or hostile, and is refused."""


class InvalidCountError(ValueError):
    """A reported number that can't be a count; the message completes the sentence "<field> …"."""


def count(value: object) -> int:
    """Return `value` as a count, or raise. An integral float is a count; a bool or a string is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidCountError("is not a number")
    if isinstance(value, float) and math.isnan(value):
        raise InvalidCountError("is not a number")
    if value < 0:
        raise InvalidCountError("is negative")
    if value > LARGEST_COUNT:
        raise InvalidCountError("is larger than 1e12")
    whole = int(value)
    if whole != value:
        raise InvalidCountError("is not a whole number")
    return whole


def count_or_none(value: object) -> int | None:
    """Return `value` as a count, or None where it is not one."""
    try:
        return count(value)
    except InvalidCountError:
        return None


def count_at(raw: Mapping[str, object], *path: str) -> int:
    """Return the count at a path of nested objects; 0 where it is absent or not a count."""
    value: object = raw
    for key in path:
        if not is_object(value):
            return 0
        value = value.get(key)
    return count_or_none(value) or 0


def carve(whole: int, parts: Sequence[tuple[str, int]], rest: str) -> dict[str, int]:
    """Split `whole` into `parts`, in order, and what remains as `rest`.

    Each part gets at most what is left, so that subsets which contradict their whole (more cached tokens than
    prompt tokens) never make anything negative, and the result always sums to `whole`. Empty parts are left out.
    """
    result: dict[str, int] = {}
    left = whole
    for name, amount in parts:
        taken = min(amount, left)
        if taken > 0:
            result[name] = result.get(name, 0) + taken
            left -= taken
    result[rest] = result.get(rest, 0) + left
    return result
