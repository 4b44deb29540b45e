"""What a request must find room for: rate limits, concurrency and metric limits, with the hold of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate_core.admission import CounterReference
from tollgate_core.catalog import MetricLimit, Product, RateLimit, effective_limit, scope_of
from tollgate_core.metering import CallVariables, EndpointPlan
from tollgate_core.periods import Recurrence
from tollgate_core.redis_contract import THROTTLE, Keys, Limit
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.gate.subscriptions import Subscription

_MINUTE_MS = 60_000


@dataclass(frozen=True)
class Estimate:
    """Tokens that a request may use: its prompt and its bounded output."""

    input: int
    output: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.input + self.output


@dataclass(frozen=True)
class Demands:
    """The limits of an admission, and references to the counters among them."""

    limits: tuple[Limit, ...] = ()
    counters: tuple[CounterReference, ...] = ()


def estimate(plan: EndpointPlan, body: Mapping[str, Any] | None, body_bytes: int) -> Estimate:
    """Zero for an endpoint without a format. An output without a bound is taken as the API's declared default."""
    if plan.format is None or body is None:
        return Estimate(0, 0)
    bound = plan.format.max_output_tokens(body)
    if bound is None:
        bound = plan.api.default_max_output_tokens
    return Estimate(plan.format.prompt_tokens_estimate(body_bytes, body), bound)


def needs_quantities(product: Product, subscription: Subscription) -> bool:
    """Whether a hold depends on what the metrics' expressions give for the estimate."""
    return subscription.wallet is not None or not all(limit.hold for limit in product.limits)


async def estimated_quantities(
    plan: EndpointPlan, guess: Estimate, captured: Mapping[str, Any], expressions: Expressions
) -> dict[str, float]:
    """The metrics' own expressions, over the usage that the provider would report for the estimate."""
    usage = plan.format.estimate(guess.input, guess.output) if plan.format else None
    measured = await expressions.measure(plan.measurement(usage, captured, CallVariables(200)), plan.api.name)
    return {name: float(quantity) for name, quantity in measured.quantities.items()}


def demands(
    subscription: Subscription,
    product: Product,
    plan: EndpointPlan,
    guess: Estimate,
    quantities: Mapping[str, float],
    now_ms: int,
) -> Demands:
    """Everything that applies to this endpoint. A quantity that is not known counts as one unit."""
    endpoint = plan.endpoint.id
    limits = [
        _rate(subscription, limit, guess)
        for limit in product.rate_limits
        if not limit.endpoints or endpoint in limit.endpoints
    ]
    if subscription.throttle:
        limits.append(_throttle(subscription))
    counters: list[CounterReference] = []
    for limit in product.limits:
        if limit.metric not in plan.metrics:
            continue
        period = subscription.calendar.at(Recurrence(limit.interval, limit.interval_count), now_ms)
        reference = CounterReference(limit.metric, period.start_ms, period.end_ms, per_key=limit.per_key)
        counters.append(reference)
        limits.append(_metric(subscription, limit, reference, quantities.get(limit.metric, 1.0)))
    return Demands(tuple(limits), tuple(counters))


def _rate(subscription: Subscription, limit: RateLimit, guess: Estimate) -> Limit:
    of = subscription.api_key if limit.per_key else ""
    if limit.kind == "concurrency":
        key = Keys.in_flight(subscription.name, limit.name, of)
        return Limit(kind="concurrency", name=limit.name, key=key, limit=limit.amount, cost=1, per_key=limit.per_key)
    # A request that is larger than the whole bucket waits for a full one; settlement takes what it really used.
    cost = 1.0 if limit.kind == "requests" else min(float(guess.total), limit.burst)
    return Limit(
        kind="rate",
        name=limit.name,
        key=Keys.rate(subscription.name, limit.name, of),
        limit=limit.burst,
        cost=cost,
        rate=limit.amount / limit.window_ms,
        tokens=limit.kind == "tokens",
        per_key=limit.per_key,
    )


def _throttle(subscription: Subscription) -> Limit:
    """While an invoice is overdue, whatever the product allows."""
    return Limit(
        kind="rate",
        name=THROTTLE,
        key=Keys.rate(subscription.name, THROTTLE),
        limit=subscription.throttle,
        cost=1,
        rate=subscription.throttle / _MINUTE_MS,
    )


def _metric(subscription: Subscription, limit: MetricLimit, counter: CounterReference, quantity: float) -> Limit:
    units = effective_limit(limit, subscription.own_limit(limit.metric, scope_of(limit)))
    hold = limit.hold or quantity
    of = subscription.api_key if limit.per_key else ""
    return Limit(
        kind="counter",
        name=f"{limit.metric}/key" if limit.per_key else limit.metric,
        key=Keys.counter(subscription.name, limit.metric, counter.period_start, of),
        limit=units,
        # A hard one is never asked for more than all of it; a soft one refuses nothing and tells what may be used.
        cost=hold if limit.soft else min(hold, units),
        ends=counter.period_end,
        metric=limit.metric,
        soft=limit.soft,
        per_key=limit.per_key,
        seconds=(counter.period_end - counter.period_start) // 1000,
    )
