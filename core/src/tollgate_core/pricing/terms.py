"""A price version's terms as exact numbers. A catalog carries them as texts."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from tollgate_core.catalog import Price
from tollgate_core.periods import Recurrence

_ZERO = Fraction(0)


@dataclass(frozen=True)
class Tier:
    """Holds quantities up to and including ``up_to``; the last one has none."""

    up_to: Fraction | None
    amount: Fraction
    flat_amount: Fraction = _ZERO


@dataclass(frozen=True)
class Terms:
    """``amount`` is in major units for every ``per`` units."""

    model: str
    currency: str
    amount: Fraction
    per: Fraction
    included: Fraction
    tiers: tuple[Tier, ...]
    trial_units: Fraction
    billing: Recurrence
    aggregation: Recurrence


@lru_cache(maxsize=4096)
def terms_of(price: Price) -> Terms:
    """Remembered: a version never changes."""
    billing = Recurrence(price.interval, price.interval_count)
    aggregation = billing
    if price.aggregation_interval is not None:
        aggregation = Recurrence(price.aggregation_interval, price.aggregation_interval_count)
    return Terms(
        model=price.model,
        currency=price.currency,
        amount=Fraction(price.amount),
        per=Fraction(price.per),
        included=Fraction(price.included),
        tiers=tuple(
            Tier(Fraction(tier.up_to) if tier.up_to else None, Fraction(tier.amount), Fraction(tier.flat_amount))
            for tier in price.tiers
        ),
        trial_units=Fraction(price.trial_units),
        billing=billing,
        aggregation=aggregation,
    )
