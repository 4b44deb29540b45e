"""What a quantity costs: the table of docs/pricing.md."""

from fractions import Fraction
from math import ceil, floor

from tests.unit.billing.oracle.scenario import Terms, Tier

ZERO = Fraction(0)


def amount(terms: Terms, q: Fraction) -> Fraction:
    """What the aggregated quantity of one period costs."""
    if q == 0:
        return ZERO
    if q < 0:
        return -_positive(terms, -q, included=ZERO, flat_amounts=False)
    return _positive(terms, q, included=terms.included, flat_amounts=True)


def _positive(terms: Terms, q: Fraction, *, included: Fraction, flat_amounts: bool) -> Fraction:
    chargeable = max(ZERO, q - included)
    if terms.model == "standard":
        return chargeable / terms.per * terms.amount
    if terms.model == "package":
        return ceil(chargeable / terms.per) * terms.amount
    if terms.model == "volume":
        tier = _tier_that_holds(terms, q)
        return chargeable / terms.per * tier.amount + (tier.flat_amount if flat_amounts else ZERO)
    assert terms.model == "graduated", terms.model
    return _graduated(terms, q, included, flat_amounts)


def _tier_that_holds(terms: Terms, q: Fraction) -> Tier:
    return next(tier for tier in terms.tiers if tier.up_to is None or q <= tier.up_to)


def _graduated(terms: Terms, q: Fraction, included: Fraction, flat_amounts: bool) -> Fraction:
    total, below = ZERO, ZERO
    for tier in terms.tiers:
        top = q if tier.up_to is None else min(q, tier.up_to)
        units = top - max(below, included)
        if units > 0:
            total += units / terms.per * tier.amount + (tier.flat_amount if flat_amounts else ZERO)
        below = max(below, top)
    return total


def rounded(exact: Fraction, decimals: int) -> int:
    """Minor units, half away from zero."""
    minor: int = floor(abs(exact) * 10**decimals + Fraction(1, 2))
    return minor if exact >= 0 else -minor
