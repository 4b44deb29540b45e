"""From a call to what it asks of the limits: as the client made it, and shorter where credit does not pay for that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate_core.catalog import Product
from tollgate_core.redis_contract import WALLET_METRIC, Limit
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.gate.clamping import Credit, Offer, shorter
from tollgate_extproc.gate.deciding import Decision
from tollgate_extproc.gate.limits import Demands, demands, estimate, estimated_quantities, needs_quantities
from tollgate_extproc.gate.subscriptions import Subscription
from tollgate_extproc.gate.wallet import Call, rates_of, with_credit


@dataclass(frozen=True)
class Bidding:
    """Of one call."""

    product: Product
    call: Call
    captured: Mapping[str, Any]
    now_ms: int
    expressions: Expressions

    async def first(self, body: dict[str, Any] | None, body_bytes: int, subscription: Subscription) -> Offer:
        """The call as it was made."""
        plan = self.call.plan
        guess = estimate(plan, body, body_bytes)
        if not needs_quantities(self.product, subscription):
            return Offer(body, guess, {})
        return Offer(body, guess, await estimated_quantities(plan, guess, self.captured, self.expressions))

    def demands(self, subscription: Subscription, offer: Offer) -> Demands:
        """Limits, and the credit where the subscription is prepaid."""
        found = demands(subscription, self.product, self.call.plan, offer.guess, offer.quantities, self.now_ms)
        return with_credit(found, subscription, self.call, offer.quantities)

    def limits(self, offer: Offer, subscription: Subscription) -> tuple[Limit, ...]:
        """Without the references to counters."""
        return self.demands(subscription, offer).limits

    async def shorter(self, decision: Decision, offer: Offer) -> Offer | None:
        """None where another limit than the credit refuses, or nothing shorter can be had."""
        refusing, wallet = decision.refusing, decision.subscription.wallet
        if not self.product.clamp_output or wallet is None or refusing is None or refusing.metric != WALLET_METRIC:
            return None
        credit = Credit(refusing.limit, decision.verdict.remaining)
        return await shorter(offer, self.call, rates_of(wallet, self.call), credit, self.captured, self.expressions)
