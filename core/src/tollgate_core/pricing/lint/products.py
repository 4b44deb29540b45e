"""What a product lacks, and what of it does not fit together."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

from tollgate_core.catalog import Metric, Price, Product, RateLimit
from tollgate_core.pricing.lint.finding import Findings, Offered, Severity, of_price, of_product, short
from tollgate_core.pricing.lint.limits import largest, limits_that_end_usage

_TWO_YEARS_MS = 2 * 366 * 86_400_000


def product_findings(offered: Offered) -> Findings:
    """All that needs no clock."""
    yield from _gaps(offered)
    yield from _currencies(offered)
    yield from _limits(offered.product, offered.metrics)
    yield from _rate_limits(offered.product)
    yield from _uncounted(offered)
    for price in offered.prices:
        yield from _trial(offered.product, price)
        yield from _seats(price)


def _gaps(offered: Offered) -> Findings:
    product, free = offered.product, offered.product.unpriced == "free"
    counted = offered.counted
    if counted and not offered.prices:
        names = ", ".join(metric.name for metric in counted[:3])
        message = f"its endpoints count {names}, and no Price names the product"
        advice = "add Prices, or set unpriced: free where it is meant to cost nothing"
        if not free:
            yield of_product("error", "no-price", product, "endpoints", message, advice)
        return
    priced = {price.metric for price in offered.prices}
    limited = {limit.metric for limit in product.limits}
    for metric in counted:
        if metric.name in priced:
            continue
        message = f"its endpoints count {metric.name}, which no Price of the product charges"
        advice = f"add a Price for it{'' if free else ', or set unpriced: free; until then its units are held'}"
        severity: Severity = "info" if free or metric.name in limited else "warning"
        yield of_product(severity, "unpriced-metric", product, "endpoints", message, advice)


def _currencies(offered: Offered) -> Findings:
    """A subscription has one currency: what is charged in one should be in all."""
    currencies = sorted({price.currency for price in offered.prices})
    what = {currency: {_charged(p) for p in offered.prices if p.currency == currency} for currency in currencies}
    everything = set[str]().union(*what.values())
    for currency, here in what.items():
        for missing in sorted(everything - here):
            others = ", ".join(name for name in currencies if missing in what[name])
            message = f"{missing} is charged in {others}, but not in {currency}"
            advice = f"add a Price in {currency}: subscriptions in it would not pay for it"
            severity: Severity = "error" if missing.startswith("metric ") else "warning"
            yield of_product(severity, "currency-gap", offered.product, "currency", message, advice)


def _charged(price: Price) -> str:
    if price.metric:
        return f"metric {price.metric}"
    return "a fee that is due once" if price.one_off else "a recurring fee"


def _limits(product: Product, metrics: Mapping[str, Metric]) -> Findings:
    # One of the manifest is two here where it has a limitPerKey too.
    for position, limit in enumerate(limit for limit in product.limits if not limit.per_key):
        yield from _limit_per_key(product, limit.metric, f"limits[{position}].limitPerKey")
        metric = metrics.get(limit.metric)
        if metric is not None and metric.aggregation not in {"sum", "count"}:
            message = f"{limit.metric} is aggregated by {metric.aggregation}; limits can only count sums"
            advice = "limit another metric, or set aggregation: sum"
            yield of_product("error", "limit-of-no-sum", product, f"limits[{position}].metric", message, advice)


def _limit_per_key(product: Product, metric: str, field: str) -> Findings:
    for of_key in product.limits:
        if of_key.metric != metric or not of_key.per_key:
            continue
        for whole in limits_that_end_usage(product, metric):
            if Fraction(of_key.limit) > largest(whole):
                most, all_keys = short(Fraction(of_key.limit)), short(largest(whole))
                message = f"{most} of each key are more than {all_keys}, at which all keys together end"
                advice = "take less than the limit, or raise it: no key can reach its own"
                yield of_product("warning", "unreachable-limit", product, field, message, advice)


def _rate_limits(product: Product) -> Findings:
    for position, of_key in enumerate(product.rate_limits):
        whole = next((whole for whole in product.rate_limits if of_key.per_key and _ends_before(whole, of_key)), None)
        if whole is not None:
            message = f"each key may use more than {whole.name} lets all keys together"
            advice = f"take less than {whole.name}, or raise that: no key can reach its own"
            yield of_product("warning", "unreachable-limit", product, f"rateLimits[{position}]", message, advice)


def _ends_before(whole: RateLimit, of_key: RateLimit) -> bool:
    """Whether all keys together always end before one of them could. What is lower at once may be higher in a while."""
    if whole.per_key or whole.kind != of_key.kind:
        return False
    if whole.endpoints and not (of_key.endpoints and set(of_key.endpoints) <= set(whole.endpoints)):
        return False
    if whole.kind == "concurrency":
        return of_key.amount > whole.amount
    faster = Fraction(of_key.amount) * whole.window_ms > Fraction(whole.amount) * of_key.window_ms
    return faster and of_key.burst >= whole.burst


def _uncounted(offered: Offered) -> Findings:
    counted = {metric.name for metric in offered.counted}
    for price in offered.metered:
        if price.metric not in counted:
            message = f"no endpoint of {offered.product.name} counts {price.metric}"
            advice = "grant such an endpoint, or remove the Price: it never charges"
            yield of_price("warning", "uncounted-metric", price, "metric", message, advice)


def _trial(product: Product, price: Price) -> Findings:
    units = Fraction(price.trial_units)
    for limit in limits_that_end_usage(product, price.metric):
        if units > largest(limit):
            message = f"{short(units)} are more than the product's limit, {short(largest(limit))} per period"
            advice = "a trial then lasts several periods: take fewer, or raise the limit"
            yield of_price("warning", "trial-beyond-limit", price, "trialUnits", message, advice)


def _seats(price: Price) -> Findings:
    if price.metric or (price.seats, price.min_seats, price.max_seats) == (1, 1, 1):
        return
    if not price.min_seats <= price.seats <= price.max_seats:
        message = f"default {price.seats} is not between min {price.min_seats} and max {price.max_seats}"
        yield of_price("error", "seats", price, "seats.default", message, "take one between them")
    elif price.max_seats == 0:
        yield of_price("error", "seats", price, "seats.max", "is 0: the fee never charges", "allow at least one seat")
    elif price.one_off and price.min_seats != price.max_seats:
        message = "of a fee that is due once: seats that are added later are not charged"
        yield of_price("warning", "seats", price, "seats.max", message, "make the fee recurring, or fix the seats")
    elif price.seats == 0:
        message = "is 0: a subscription pays this fee only once somebody raises its seats"
        yield of_price("info", "seats", price, "seats.default", message, "set a default if that is not meant")


def clock_findings(offered: Offered, now_ms: int) -> Findings:
    """Dates that lie where nobody would put them on purpose."""
    for price in offered.prices:
        if not price.effective_from:
            continue
        effective_ms = int(datetime.fromisoformat(price.effective_from).timestamp() * 1000)
        if effective_ms > now_ms + _TWO_YEARS_MS:
            message = f"{price.effective_from} is more than two years ahead"
            yield of_price("warning", "effective-from", price, "effectiveFrom", message, "check the year")
        elif effective_ms < now_ms:
            message = f"{price.effective_from} has passed"
            advice = "nothing to do if it went live then; with a new version set a date ahead, or remove it"
            yield of_price("info", "effective-from", price, "effectiveFrom", message, advice)
