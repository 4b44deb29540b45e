"""Tiers that can never charge, or that make more usage cost less."""

from fractions import Fraction
from itertools import pairwise

from tollgate_core.catalog import Price
from tollgate_core.pricing.formula import number
from tollgate_core.pricing.lint.finding import Findings, Offered, of_price, short
from tollgate_core.pricing.lint.limits import largest, limits_that_end_usage
from tollgate_core.pricing.models import cost
from tollgate_core.pricing.terms import Terms, Tier, terms_of


def tier_findings(offered: Offered) -> Findings:
    """Of every price of a product."""
    for price in offered.metered:
        terms = terms_of(price)
        most = _most(offered, price)
        yield from _covered(price, terms)
        yield from _equal_neighbours(price, terms)
        yield from _beyond_the_limit(price, terms, most)
        if terms.model == "volume":
            yield from _cliffs(price, terms)


def _covered(price: Price, terms: Terms) -> Findings:
    for number_, tier in enumerate(terms.tiers):
        if tier.up_to is not None and tier.up_to <= terms.included:
            message = f"ends at {short(tier.up_to)}, and the first {short(terms.included)} units are included"
            advice = "it never charges a unit: remove the tier, or include less"
            yield of_price("warning", "unreachable-tier", price, f"tiers[{number_}].upTo", message, advice)


def _equal_neighbours(price: Price, terms: Terms) -> Findings:
    for number_, (lower, upper) in enumerate(pairwise(terms.tiers), 1):
        same_flat = lower.flat_amount == upper.flat_amount
        if lower.amount == upper.amount and same_flat and (not upper.flat_amount or terms.model == "volume"):
            message = f"costs what the tier before it costs, {number(upper.amount)} {price.currency}"
            advice = "join the two, or correct the amount that was meant to differ"
            yield of_price("info", "equal-tiers", price, f"tiers[{number_}].amount", message, advice)


def _most(offered: Offered, price: Price) -> Fraction | None:
    """The most units that an aggregation period of the price can have, by the product's limits."""
    aggregation = terms_of(price).aggregation
    same = [
        limit
        for limit in limits_that_end_usage(offered.product, price.metric)
        if (limit.interval, limit.interval_count) == (aggregation.interval, aggregation.count)
    ]
    return min(map(largest, same), default=None)


def _beyond_the_limit(price: Price, terms: Terms, most: Fraction | None) -> Findings:
    if most is None:
        return
    advice = "raise the product's limit, or remove what can never be charged"
    if terms.included >= most and not terms.tiers and not price.when:
        message = f"{short(terms.included)} units are included, and the product's limit ends usage at {short(most)}"
        yield of_price("warning", "unreachable-price", price, "included", message, advice)
    for number_, lower in enumerate(terms.tiers[:-1], 1):
        if lower.up_to is not None and lower.up_to >= most:
            message = f"begins above {short(lower.up_to)}, and the product's limit ends usage at {short(most)}"
            yield of_price("warning", "unreachable-tier", price, f"tiers[{number_}]", message, advice)


def _cliffs(price: Price, terms: Terms) -> Findings:
    """One unit more moves all units to the next tier."""
    for number_, (lower, upper) in enumerate(pairwise(terms.tiers), 1):
        if lower.up_to is None or (upper.up_to is not None and upper.up_to < lower.up_to + 1):
            continue
        before, after = cost(terms, lower.up_to), cost(terms, lower.up_to + 1)
        if after < before:
            message = (
                f"{number(lower.up_to)} units cost {number(before)} {price.currency} and {number(lower.up_to + 1)} "
                f"only {number(after)}: from {_dearer_from(terms, lower, after)} on, using more costs less"
            )
            advice = "take model graduated, or give the tier a flatAmount that closes the step"
            yield of_price("warning", "volume-cliff", price, f"tiers[{number_}].amount", message, advice)


def _dearer_from(terms: Terms, tier: Tier, amount: Fraction) -> str:
    """The quantity of the tier at which it costs what the next tier's first unit costs."""
    if not tier.amount:
        return "its first unit"
    units = max(Fraction(0), amount - tier.flat_amount) / tier.amount * terms.per + terms.included
    return number(Fraction(-(-units.numerator // units.denominator)))
