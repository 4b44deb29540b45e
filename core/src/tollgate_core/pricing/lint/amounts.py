"""Amounts that were written for another number of units, and prices below what the units cost."""

from collections.abc import Iterator
from fractions import Fraction

from tollgate_core.catalog import Price
from tollgate_core.pricing.formula import number
from tollgate_core.pricing.lint.finding import Findings, Offered, Severity, of_price, short
from tollgate_core.pricing.terms import Terms, terms_of

#: A token has never cost a cent.
_DEAREST_TOKEN = Fraction(1, 100)
#: Half of a factor of a thousand, on a scale of factors: what lies beyond is rather a slip of units than a price.
_SLIP = 300
#: With the same ``per``, prices of models do differ by factors of thousands.
_SLIP_OF_AMOUNT = 100_000


def amount_findings(offered: Offered) -> Findings:
    """Of every price of a product."""
    for price in offered.metered:
        slips = [*_token_slip(offered, price), *_slip_from_cost(price)]
        yield from slips or _slip_from_siblings(offered, price)
        if not any(finding.severity == "error" for finding in slips):
            yield from _below_cost(price)
            yield from _included_below_cost(offered, price)


def _amounts(terms: Terms) -> Iterator[tuple[str, Fraction]]:
    """(field, amount) of all that are not zero."""
    if not terms.tiers:
        yield "amount", terms.amount
    for number_, tier in enumerate(terms.tiers):
        yield f"tiers[{number_}].amount", tier.amount


def _dearest(terms: Terms) -> Fraction:
    """For one unit."""
    return max(amount for _, amount in _amounts(terms)) / terms.per


def _unit_cost(price: Price) -> Fraction | None:
    return Fraction(price.cost) / Fraction(price.cost_per) if price.cost else None


def _token_slip(offered: Offered, price: Price) -> Findings:
    metric, terms = offered.metrics.get(price.metric), terms_of(price)
    if metric is None or not metric.unit.lower().startswith("token") or price.currency not in _CENT_LIKE:
        return
    for field, amount in _amounts(terms):
        if terms.per == 1 and amount > _DEAREST_TOKEN:
            message = (
                f"{number(amount)} {price.currency} for each single token is {number(amount * 10**6)} for a million"
            )
            yield of_price("error", "unit-slip", price, field, message, "write per: 1M (or 1k) beside the amount")


#: Where a hundredth of the major unit is about a cent: not the yen.
_CENT_LIKE = frozenset({"USD", "EUR", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD"})


def _slip_from_cost(price: Price) -> Findings:
    terms, unit_cost = terms_of(price), _unit_cost(price)
    if not unit_cost:
        return
    ratio = _dearest(terms) / unit_cost
    if ratio >= _SLIP or 0 < ratio <= Fraction(1, _SLIP):
        times = f"{_times(ratio)} its cost, {number(unit_cost * terms.per)} for {short(terms.per)}"
        message = f"{number(_dearest(terms) * terms.per)} {price.currency} for {short(terms.per)} is {times}"
        yield of_price("error", "unit-slip", price, "per", message, "check per and cost.per: 1, 1k or 1M")


def _slip_from_siblings(offered: Offered, price: Price) -> Findings:
    """Against the usual price of metrics with the same unit, which is the lower one of two."""
    metric, mine = offered.metrics.get(price.metric), terms_of(price)
    alike = [
        terms_of(other)
        for other in offered.metered
        if metric and other.currency == price.currency and _unit(offered, other) == metric.unit
    ]
    charging = [terms for terms in alike if _dearest(terms)]
    if not charging or not _dearest(mine):
        return
    usual = sorted(charging, key=_dearest)[(len(charging) - 1) // 2]
    ratio = _dearest(mine) / _dearest(usual)
    slip = _SLIP_OF_AMOUNT if usual.per == mine.per else _SLIP
    if ratio >= slip or ratio <= Fraction(1, slip):
        amount = f"{number(_dearest(mine) * mine.per)} {price.currency} for {short(mine.per)}"
        message = f"{amount} is {_times(ratio)} what the product's other prices take for a unit"
        yield of_price("warning", "unit-slip", price, "per", message, "check per: 1, 1k or 1M, as the others have it")


def _unit(offered: Offered, price: Price) -> str | None:
    metric = offered.metrics.get(price.metric)
    return metric.unit if metric else None


def _times(ratio: Fraction) -> str:
    return f"{round(ratio):,} times" if ratio >= 1 else f"1/{round(1 / ratio):,} of"


def _below_cost(price: Price) -> Findings:
    terms, unit_cost = terms_of(price), _unit_cost(price)
    if not unit_cost:
        return
    lower = Fraction(0)
    for position, (field, amount) in enumerate(_amounts(terms)):
        tier = terms.tiers[position] if terms.tiers else None
        costs = unit_cost * terms.per
        flat = tier.flat_amount if tier else Fraction(0)
        units = tier.up_to - lower if tier and tier.up_to is not None else None
        covered = units is not None and flat + amount * units / terms.per >= unit_cost * units
        if amount < costs and not covered:
            message = f"{number(amount)} {price.currency} for {short(terms.per)} is below their cost, {number(costs)}"
            yield of_price("warning", "below-cost", price, field, message, "raise the amount, or correct the cost")
        lower = tier.up_to if tier and tier.up_to is not None else lower


def _included_below_cost(offered: Offered, price: Price) -> Findings:
    """Included units are paid by fees, if at all."""
    terms, unit_cost = terms_of(price), _unit_cost(price)
    if not unit_cost or not terms.included:
        return
    fees = [p for p in offered.prices if not p.metric and not p.one_off and p.currency == price.currency]
    alike = sum(
        (terms_of(fee).amount * fee.seats for fee in fees if terms_of(fee).billing == terms.billing), Fraction(0)
    )
    costs = terms.included * unit_cost
    if terms.aggregation == terms.billing and alike < costs:
        brought = f"its fees bring {number(alike)}" if alike else "no fee pays for them"
        message = (
            f"{short(terms.included)} included units cost you up to {number(costs)} {price.currency}, and {brought}"
        )
        advice = "include less, or raise the fee"
        severity: Severity = "warning" if alike else "info"
        yield of_price(severity, "below-cost", price, "included", message, advice)
