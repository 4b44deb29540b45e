"""Random versions of a random price."""

from dataclasses import replace
from fractions import Fraction
from random import Random

from tests.unit.billing.oracle.scenario import Aggregation, Model, Recurrence, Terms, Tier

_AMOUNTS = ("0", "1", "0.1", "0.333", "0.005", "49", "1.5", "0.00000015", "-2", "12345.678901")
_PERS = ("1", "1", "10", "1000000", "3", "0.5")
_FLATS = ("0", "0", "5", "0.125")
_INCLUDED = ("0", "0", "2", "100", "0.5", "12.5")
_TRIALS = ("0", "0", "0", "5", "100.5", "1000")
_BOUNDS = ("1", "5", "10", "100.5", "1000", "1000000")
_METERED: tuple[Model, ...] = ("standard", "package", "graduated", "volume")
_AGGREGATIONS: tuple[Aggregation, ...] = ("sum", "sum", "sum", "sum", "count", "max", "last", "unique")
_DAY, _WEEK, _MONTH, _YEAR = Recurrence("day"), Recurrence("week"), Recurrence("month"), Recurrence("year")
#: (billing period, aggregation period)
_PERIODS = (
    (_MONTH, _MONTH),
    (_MONTH, _MONTH),
    (_MONTH, _DAY),
    (_MONTH, _DAY),
    (_WEEK, _DAY),
    (_DAY, _DAY),
    (Recurrence("day", 10), Recurrence("day", 5)),
    (Recurrence("week", 2), _WEEK),
    (Recurrence("week", 2), Recurrence("day", 7)),
    (Recurrence("week", 3), Recurrence("week", 3)),
    (Recurrence("month", 3), _MONTH),
    (Recurrence("month", 2), Recurrence("month", 2)),
    (_YEAR, _MONTH),
    (_YEAR, Recurrence("month", 3)),
    (Recurrence("year", 2), _YEAR),
)


def random_price(random: Random, price: str, metric: str) -> list[Terms]:
    """One to three versions. Mostly they differ in what they cost, sometimes in their periods too."""
    metered = random.random() < 0.75
    billing, aggregation_period = random.choice(_PERIODS)
    first = Terms(
        price=price,
        version="v1",
        model="standard" if metered else "flat",
        billing=billing,
        aggregation_period=aggregation_period if metered else billing,
        metric=metric if metered else "",
        aggregation=random.choice(_AGGREGATIONS),
        one_off=not metered and random.random() < 0.25,
    )
    trial = Fraction(random.choice(_TRIALS)) if metered else Fraction(0)
    versions: list[Terms] = []
    for number in range(random.choice((1, 1, 2, 3))):
        terms = replace(first, version=f"v{number + 1}", trial_units=trial)
        if random.random() < 0.2:
            billing, aggregation_period = random.choice(_PERIODS)
            terms = replace(terms, billing=billing, aggregation_period=aggregation_period if metered else billing)
        if metered and random.random() < 0.2:
            terms = replace(terms, trial_units=Fraction(random.choice(_TRIALS)))
        versions.append(_metered(random, terms) if metered else _fee(random, terms))
    return versions


def _fee(random: Random, terms: Terms) -> Terms:
    return replace(terms, amount=Fraction(random.choice(_AMOUNTS)), in_advance=random.random() < 0.6)


def _metered(random: Random, terms: Terms) -> Terms:
    model = random.choice(_METERED)
    terms = replace(terms, model=model, per=Fraction(random.choice(_PERS)), included=Fraction(random.choice(_INCLUDED)))
    if model in {"standard", "package"}:
        return replace(terms, amount=Fraction(random.choice(_AMOUNTS)))
    bounds = sorted({Fraction(random.choice(_BOUNDS)) for _ in range(random.randint(0, 3))})
    tiers = tuple(_tier(random, bound) for bound in [*bounds, None])
    included = terms.included if not bounds or terms.included < bounds[0] else Fraction(0)
    return replace(terms, tiers=tiers, included=included)


def _tier(random: Random, up_to: Fraction | None) -> Tier:
    return Tier(up_to, Fraction(random.choice(_AMOUNTS)), Fraction(random.choice(_FLATS)))
