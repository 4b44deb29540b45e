"""What a schema cannot say of a price, and is wrong for certain. Doubtful things are ``lint``'s."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tollgate_core.errors import ExpressionError, Problem
from tollgate_core.manifests import Price, PriceSpec, PriceTier
from tollgate_core.manifests.price import BillingPeriod
from tollgate_core.periods import Recurrence
from tollgate_core.pricing.calendar import COUNTABLE, FIRST_MOMENT, LAST_MOMENT, divides
from tollgate_core.pricing.selection import try_condition
from tollgate_core.quantity import parse_quantity

_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}


def recurrence(period: BillingPeriod) -> Recurrence:
    """As the calendar takes it."""
    return Recurrence(period.interval, period.interval_count)


def price_problems(spec: PriceSpec) -> Iterator[Problem]:
    """Of one price by itself."""
    yield from _tier_problems(spec.tiers)
    first = next((tier.up_to for tier in spec.tiers if tier.up_to), None)
    if first and parse_quantity(spec.included) >= parse_quantity(first):
        yield Problem("spec.included", f"must be less than the first tier's upTo, {first}: that tier never charges")
    aggregation = spec.aggregation_period
    if aggregation and not divides(recurrence(aggregation), recurrence(spec.billing_period)):
        message = (
            f"{_words(spec.billing_period)} is not made of whole periods of {_words(aggregation)}; take one day, or a "
            "period that divides the billing period, for example month in year"
        )
        yield Problem("spec.aggregationPeriod", message)
    if spec.when is not None:
        try:
            try_condition(spec.when)
        except ExpressionError as error:
            yield Problem("spec.when", str(error))


def _tier_problems(tiers: Sequence[PriceTier]) -> Iterator[Problem]:
    bounds = [(i, tier.up_to) for i, tier in enumerate(tiers) if tier.up_to]
    for (_, lower), (i, upper) in pairwise(bounds):
        if parse_quantity(upper) <= parse_quantity(lower):
            yield Problem(f"spec.tiers[{i}].upTo", f"must be more than {lower}, the upTo of the tier before")


def time_zone_problems(field: str, zone: str | None) -> Iterator[Problem]:
    """Of an IANA name."""
    try:
        ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Problem(field, f"there is no time zone {zone!r}; write an IANA name, for example Europe/Berlin")


def moment_problems(field: str, moment: datetime | None) -> Iterator[Problem]:
    """A calendar ends at the years 1 and 9999, and a period that cannot be computed would hold up its subscription."""
    if moment is not None and not FIRST_MOMENT <= moment < LAST_MOMENT:
        yield Problem(field, COUNTABLE)


def trial_problems(trial_days: int, prices: Sequence[Price]) -> Iterator[Problem]:
    """A trial that outlasts the longest period of its product is a free product: a mistake."""
    periods = [p.spec.billing_period for p in prices if p.spec.type == "recurring"]
    longest = max(periods, key=_longest_days, default=None)
    if longest and trial_days > _longest_days(longest):
        message = f"{trial_days} days are longer than the longest billing period, {_words(longest)}"
        yield Problem("spec.trialDays", message)


def currency_problem(currency: str | None, prices: Sequence[Price]) -> Iterator[Problem]:
    """A subscription is billed in one currency."""
    offered = sorted({price.spec.currency for price in prices})
    if currency is None and len(offered) > 1:
        yield Problem("spec.currency", f"is needed: the product has prices in {', '.join(offered)}")
    if currency is not None and offered and currency not in offered:
        yield Problem("spec.currency", f"the product has no price in {currency}; it has {', '.join(offered)}")


def rival(price: Price, other: Price) -> bool:
    """Whether two prices of a product would both charge the same calls."""
    same = (price.spec.metric, price.spec.currency) == (other.spec.metric, other.spec.currency)
    return same and price is not other and price.spec.when is None and other.spec.when is None


def _longest_days(period: BillingPeriod) -> int:
    return _DAYS[period.interval] * period.interval_count


def _words(period: BillingPeriod) -> str:
    return period.interval if period.interval_count == 1 else f"{period.interval_count} {period.interval}s"
