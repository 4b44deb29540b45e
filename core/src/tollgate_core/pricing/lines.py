"""The lines of a statement: what is due now and was not on an earlier one, each rounded once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tollgate_core.money import minor_unit_exponent, round_half_up
from tollgate_core.pricing.assessment import Due

_ZERO = Fraction(0)
LineKey = tuple[str, str, int]
"""(price name, version, start of the billing period)"""


@dataclass(frozen=True)
class Billed:
    """Of one key on all earlier statements."""

    exact: Fraction = _ZERO
    quantity: Fraction = _ZERO


@dataclass(frozen=True)
class Carried:
    """Of one price on all earlier statements: ``exact`` in major units, ``minor`` as charged."""

    exact: Fraction = _ZERO
    minor: int = 0


@dataclass(frozen=True)
class History:
    """What earlier statements of a subscription hold."""

    billed: Mapping[LineKey, Billed] = field(default_factory=dict[LineKey, Billed])
    carried: Mapping[str, Carried] = field(default_factory=dict[str, Carried])


@dataclass(frozen=True)
class Line:
    """``exact`` and ``quantity`` are the differences to earlier statements, ``minor`` what is charged: ``exact`` and
    ``carried`` (the rest of earlier roundings, in major units) rounded."""

    due: Due
    exact: Fraction
    quantity: Fraction
    carried: Fraction
    minor: int
    adjustment: bool

    @property
    def key(self) -> LineKey:
        """What earlier statements may hold a line of too."""
        return self.due.price.name, self.due.price.version, self.due.span.start_ms


def statement_lines(dues: Iterable[Due], history: History) -> tuple[Line, ...]:
    """In the order of ``dues``."""
    carried = dict(history.carried)
    lines: list[Line] = []
    for due in dues:
        key = (due.price.name, due.price.version, due.span.start_ms)
        earlier = history.billed.get(key)
        before = earlier or Billed()
        exact, quantity = due.exact - before.exact, due.quantity - before.quantity
        if not exact and not quantity:
            continue
        so_far = carried.get(due.price.name, Carried())
        total = so_far.exact + exact
        minor = round_half_up(total * 10 ** minor_unit_exponent(due.price.currency)) - so_far.minor
        carried[due.price.name] = Carried(total, so_far.minor + minor)
        rest = so_far.exact - Fraction(so_far.minor, 10 ** minor_unit_exponent(due.price.currency))
        lines.append(Line(due, exact, quantity, rest, minor, adjustment=earlier is not None))
    return tuple(lines)
