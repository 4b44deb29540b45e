"""Subscriptions, minimal: they start with a first invoice and end; they never renew by themselves."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.starting import first_invoice, start
from tollgate_sandbox.stripe.subscribing import end_subscription


def create(call: Call) -> Json:
    """A subscription and its first invoice."""
    params = call.params
    customer = call.store.get("customer", params["customer"], "customer")
    items: list[Json] = params.get("items") or []
    if not items:
        raise invalid("Missing required param: items.", code="parameter_missing", param="items")
    prices = [call.store.get("price", item.get("price", ""), "items[0][price]") for item in items]
    subscription = start(
        call.world, customer, [(price, item.get("quantity", 1)) for price, item in zip(prices, items, strict=True)]
    )
    assign(subscription, params, ("metadata", "description", "default_payment_method"))
    first_invoice(call.world, subscription, customer)
    return subscription


def update(call: Call) -> Json:
    """Change what describes it or when it ends."""
    subscription = call.named("subscription")
    before = assign(
        subscription, call.params, ("cancel_at_period_end", "default_payment_method", "description", "metadata")
    )
    call.world.emit("customer.subscription.updated", subscription, before)
    return subscription


def cancel(call: Call) -> Json:
    """End it now."""
    subscription = call.named("subscription")
    if subscription["status"] == "canceled":
        raise invalid("This subscription is already canceled.")
    end_subscription(call.world, subscription)
    return subscription


def list_(call: Call) -> Json:
    """All but the ended ones, unless those are asked for."""
    status = call.params.get("status")

    def fits(one: Json) -> bool:
        return bool(status == "all" or (one["status"] != "canceled" if status is None else one["status"] == status))

    return call.listed("subscription", "customer", "collection_method", where=fits)


_ONE = "/v1/subscriptions/{subscription}"
OPERATIONS = (
    Operation("POST", "/v1/subscriptions", shapes.SubscriptionCreateParams, create),
    Operation("GET", "/v1/subscriptions", shapes.SubscriptionListParams, list_),
    Operation("GET", _ONE, shapes.SubscriptionRetrieveParams, lambda call: call.named("subscription")),
    Operation("POST", _ONE, shapes.SubscriptionUpdateParams, update),
    Operation("DELETE", _ONE, shapes.SubscriptionCancelParams, cancel),
    Operation(
        "GET",
        "/v1/subscription_items",
        shapes.SubscriptionItemListParams,
        lambda call: call.listed("subscription_item", "subscription"),
    ),
)
