"""When something is worth telling. Pure."""

from collections.abc import Sequence
from typing import Literal

Level = Literal["enough", "low", "exhausted"]


def credit_level(available_minor: int, low_minor: int | None, overdraft_minor: int) -> Level:
    """``low_minor`` is None where nobody wants to know that it runs low. Exhausted is where calls are refused."""
    if available_minor + overdraft_minor <= 0:
        return "exhausted"
    return "low" if low_minor is not None and available_minor < low_minor else "enough"


def reached(used_micros: int, limit_micros: int, percents: Sequence[int]) -> list[int]:
    """Those of the percents of a limit that are used up."""
    return [percent for percent in sorted(percents) if used_micros * 100 >= limit_micros * percent]
