"""What a call may cost a prepaid subscription: a hold on its credit."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from tollgate_core.admission import CounterReference
from tollgate_core.metering import EndpointPlan
from tollgate_core.pricing.selection import condition_before
from tollgate_core.redis_contract import WALLET_ENDS_MS, WALLET_METRIC, Keys, Limit
from tollgate_extproc.gate.subscriptions import Rate, Subscription, Wallet

NAME = "credit"


@dataclass(frozen=True)
class Call:
    """What is known of a call before it is made."""

    plan: EndpointPlan
    model: str
    streamed: bool


def wallet_demand(
    subscription: Subscription, call: Call, estimated: Mapping[str, float]
) -> tuple[Limit, CounterReference] | None:
    """None where the subscription is not prepaid. A quantity that cannot be estimated counts as one unit."""
    if subscription.wallet is None:
        return None
    rates = {
        metric: rate
        for metric in sorted(call.plan.metrics)
        if (rate := _rate([r for r in subscription.wallet.rates if r.metric == metric], call)) > 0
    }
    cost = sum(estimated.get(metric, 1.0) * rate for metric, rate in rates.items())
    limit = Limit(
        kind="counter",
        name=NAME,
        key=Keys.wallet(subscription.name),
        limit=subscription.wallet.limit,
        cost=cost,
        ends=WALLET_ENDS_MS,
        metric=WALLET_METRIC,
    )
    return limit, CounterReference(WALLET_METRIC, 0, WALLET_ENDS_MS, rates)


def renewed_credit(limits: tuple[Limit, ...] | None, wallet: Wallet | None) -> tuple[Limit, ...] | None:
    """The same limits with the credit as it is now: a top-up or a statement came between. None where the subscription
    is no longer prepaid."""
    if limits is None or wallet is None:
        return None
    return tuple(
        msgspec.structs.replace(limit, limit=wallet.limit) if limit.metric == WALLET_METRIC else limit
        for limit in limits
    )


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
