"""Refusing calls that no price charges, for products that ask for it: an unknown model is not free by accident."""

from tollgate_core.metering import EndpointPlan, Plans
from tollgate_core.pricing.selection import may_apply
from tollgate_extproc.gate.denial import Denial


def refuse_unpriced(plans: Plans, product: str, plan: EndpointPlan, model: str, *, streamed: bool) -> Denial | None:
    """A metric of the endpoint to which no price of the product can apply."""
    prices = plans.prices.get(product)
    if prices is None:
        return None
    form = plan.endpoint.format or ""
    for metric in sorted(plan.metrics):
        own = [price for price in prices if price.metric == metric]
        if not any(may_apply(price, plan.endpoint.id, form, model, streamed=streamed) for price in own):
            what = f"The model {model} has" if own and model else "This call has"
            return Denial(400, "unpriced", f"{what} no price for {metric} in this plan; ask its provider.")
    return None
