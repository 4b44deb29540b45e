"""What a quantity of one aggregation period costs, for each model: ``docs/pricing.md``, "What a quantity costs".

``Part``\\ s say how an amount came about; their sum is the amount. A negative quantity costs the negative of its
absolute value without what only usage earns: included units and flat amounts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from tollgate_core.pricing.terms import Terms, Tier

_ZERO = Fraction(0)


@dataclass(frozen=True)
class Part:
    """``units / per x amount``, or ``flat``: a tier's flat amount. ``tier`` counts from 1; 0 where there are none."""

    units: Fraction
    amount: Fraction
    per: Fraction = Fraction(1)
    tier: int = 0
    flat: bool = False
    #: Whole packages are charged instead of units.
    packages: int | None = None

    @property
    def exact(self) -> Fraction:
        """Major units."""
        if self.flat:
            return self.amount
        if self.packages is not None:
            return self.packages * self.amount
        return self.units / self.per * self.amount


def cost(terms: Terms, quantity: Fraction) -> Fraction:
    """Exact major units."""
    return sum((part.exact for part in parts(terms, quantity)), _ZERO)


def parts(terms: Terms, quantity: Fraction) -> tuple[Part, ...]:
    """How ``cost`` comes about."""
    if quantity >= 0:
        return tuple(_MODELS[terms.model](terms, quantity))
    without = replace(terms, included=_ZERO, tiers=tuple(replace(t, flat_amount=_ZERO) for t in terms.tiers))
    return tuple(_negative(part) for part in _MODELS[terms.model](without, -quantity))


def marginal(terms: Terms, before: Fraction, units: Fraction) -> Fraction:
    """What ``units`` cost where ``before`` units of the period were counted already."""
    return cost(terms, before + units) - cost(terms, before)


def _negative(part: Part) -> Part:
    packages = None if part.packages is None else -part.packages
    return replace(part, units=-part.units, packages=packages)


def _chargeable(terms: Terms, quantity: Fraction) -> Fraction:
    return max(_ZERO, quantity - terms.included)


def _standard(terms: Terms, quantity: Fraction) -> Iterator[Part]:
    yield Part(_chargeable(terms, quantity), terms.amount, terms.per)


def _package(terms: Terms, quantity: Fraction) -> Iterator[Part]:
    units = _chargeable(terms, quantity)
    yield Part(units, terms.amount, terms.per, packages=ceil(units / terms.per))


def _graduated(terms: Terms, quantity: Fraction) -> Iterator[Part]:
    lower = _ZERO
    for number, tier in enumerate(terms.tiers, 1):
        upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
        units = upper - max(lower, terms.included)
        if units > 0:
            yield from _tier_parts(terms, tier, number, units)
        if tier.up_to is None or quantity <= tier.up_to:
            return
        lower = tier.up_to


def _volume(terms: Terms, quantity: Fraction) -> Iterator[Part]:
    if quantity == 0:
        return
    for number, tier in enumerate(terms.tiers, 1):
        if tier.up_to is None or quantity <= tier.up_to:
            yield from _tier_parts(terms, tier, number, _chargeable(terms, quantity))
            return


def _tier_parts(terms: Terms, tier: Tier, number: int, units: Fraction) -> Iterator[Part]:
    yield Part(units, tier.amount, terms.per, number)
    if tier.flat_amount:
        yield Part(_ZERO, tier.flat_amount, tier=number, flat=True)


_MODELS: dict[str, Callable[[Terms, Fraction], Iterator[Part]]] = {
    "standard": _standard,
    "package": _package,
    "graduated": _graduated,
    "volume": _volume,
}
