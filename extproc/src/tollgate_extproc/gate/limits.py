"""What a request must find room for: rate limits, concurrency and metric limits, with the hold of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tollgate_core.admission import CounterReference
from tollgate_core.catalog import MetricLimit, Product, RateLimit
from tollgate_core.metering import CallVariables, EndpointPlan
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Calendar
from tollgate_core.redis_contract import Keys, Limit
from tollgate_extproc.budget.evaluate import Expressions


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

    limits: tuple[Limit, ...]
    counters: tuple[CounterReference, ...]
    #: Units of each metric that the call may use, as far as they were asked for.
    estimated: Mapping[str, float] = field(default_factory=dict[str, float])


def estimate(plan: EndpointPlan, body: Mapping[str, Any] | None, body_bytes: int) -> Estimate:
    """Zero for an endpoint without a format. An output without a bound is taken as the API's declared default."""
    if plan.format is None or body is None:
        return Estimate(0, 0)
    bound = plan.format.max_output_tokens(body)
    if bound is None:
        bound = plan.api.default_max_output_tokens
    return Estimate(plan.format.prompt_tokens_estimate(body_bytes, body), bound)


async def demands(
    subscription: str,
    calendar: Calendar,
    product: Product,
    plan: EndpointPlan,
    guess: Estimate,
    captured: Mapping[str, Any],
    now_ms: int,
    expressions: Expressions,
    *,
    prepaid: bool = False,
) -> Demands:
    """Everything that applies to this endpoint."""
    endpoint = plan.endpoint.id
    limits = [
        _rate(subscription, limit, guess)
        for limit in product.rate_limits
        if not limit.endpoints or endpoint in limit.endpoints
    ]
    counters: list[CounterReference] = []
    needed = prepaid or not all(limit.hold for limit in product.limits)
    estimated = await _estimated_quantities(plan, guess, captured, expressions) if needed else {}
    for metric_limit in product.limits:
        if metric_limit.metric not in plan.metrics:
            continue
        reference = _counter(metric_limit, calendar, now_ms)
        counters.append(reference)
        limits.append(_metric(subscription, metric_limit, reference, estimated.get(metric_limit.metric, 1.0)))
    return Demands(tuple(limits), tuple(counters), estimated)


def _rate(subscription: str, limit: RateLimit, guess: Estimate) -> Limit:
    if limit.kind == "concurrency":
        key = Keys.in_flight(subscription, limit.name)
        return Limit(kind="concurrency", name=limit.name, key=key, limit=limit.amount, cost=1)
    # A request that is larger than the whole bucket waits for a full one; settlement takes what it really used.
    cost = 1.0 if limit.kind == "requests" else min(float(guess.total), limit.burst)
    return Limit(
        kind="rate",
        name=limit.name,
        key=Keys.rate(subscription, limit.name),
        limit=limit.burst,
        cost=cost,
        rate=limit.amount / limit.window_ms,
        tokens=limit.kind == "tokens",
    )


async def _estimated_quantities(
    plan: EndpointPlan, guess: Estimate, captured: Mapping[str, Any], expressions: Expressions
) -> dict[str, float]:
    """The metric's own expressions, over the usage that the provider would report for the estimate."""
    usage = plan.format.estimate(guess.input, guess.output) if plan.format else None
    measured = await expressions.measure(plan.measurement(usage, captured, CallVariables(200)), plan.api.name)
    return {name: float(quantity) for name, quantity in measured.quantities.items()}


def _counter(limit: MetricLimit, calendar: Calendar, now_ms: int) -> CounterReference:
    period = calendar.at(Recurrence(limit.interval, limit.interval_count), now_ms)
    return CounterReference(limit.metric, period.start_ms, period.end_ms)


def _metric(subscription: str, limit: MetricLimit, counter: CounterReference, estimated: float) -> Limit:
    return Limit(
        kind="counter",
        name=limit.metric,
        key=Keys.counter(subscription, limit.metric, counter.period_start),
        limit=limit.limit,
        cost=min(limit.hold or estimated, limit.limit),
        ends=counter.period_end,
        metric=limit.metric,
    )
