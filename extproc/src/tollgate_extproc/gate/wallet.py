"""What a call may cost a prepaid subscription: a hold on its credit."""

from collections.abc import Mapping
from dataclasses import dataclass

from tollgate_core.admission import CounterReference
from tollgate_core.metering import EndpointPlan
from tollgate_core.pricing.selection import condition_before
from tollgate_core.redis_contract import WALLET_ENDS_MS, WALLET_METRIC, Keys, Limit
from tollgate_extproc.gate.limits import Demands
from tollgate_extproc.gate.subscriptions import Rate, Subscription, Wallet

NAME = "credit"


@dataclass(frozen=True)
class Call:
    """What is known of a call before it is made."""

    plan: EndpointPlan
    model: str
    streamed: bool


def with_credit(demands: Demands, subscription: Subscription, call: Call, quantities: Mapping[str, float]) -> Demands:
    """The credit as one more counter, where the subscription is prepaid. It comes last: whatever else refuses a call,
    shortening it would not help."""
    if subscription.wallet is None:
        return demands
    rates = rates_of(subscription.wallet, call)
    limit = Limit(
        kind="counter",
        name=NAME,
        key=Keys.wallet(subscription.name),
        limit=subscription.wallet.limit,
        cost=cost_of(rates, quantities),
        ends=WALLET_ENDS_MS,
        metric=WALLET_METRIC,
    )
    reference = CounterReference(WALLET_METRIC, 0, WALLET_ENDS_MS, rates)
    return Demands((*demands.limits, limit), (*demands.counters, reference))


def rates_of(wallet: Wallet, call: Call) -> dict[str, float]:
    """What a unit of each metric may cost, of those that cost anything."""
    rates = {
        metric: _rate([rate for rate in wallet.rates if rate.metric == metric], call)
        for metric in sorted(call.plan.metrics)
    }
    return {metric: rate for metric, rate in rates.items() if rate > 0}


def cost_of(rates: Mapping[str, float], quantities: Mapping[str, float]) -> float:
    """A quantity that cannot be estimated counts as one unit."""
    return sum(quantities.get(metric, 1.0) * rate for metric, rate in rates.items())


def _rate(rates: list[Rate], call: Call) -> float:
    """Of the price that will apply; where that is not known yet, of the dearest that may."""
    dearest = 0.0
    for rate in rates:
        form = call.plan.endpoint.format or ""
        holds = condition_before(rate.when, call.plan.endpoint.id, form, call.model, streamed=call.streamed)
        if holds is False:
            continue
        dearest = max(dearest, rate.rate)
        if holds:
            break
    return dearest
