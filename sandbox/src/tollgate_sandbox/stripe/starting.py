"""How subscriptions start."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.periods import later
from tollgate_sandbox.stripe.collecting import finalize_and_collect
from tollgate_sandbox.stripe.drafting import blank
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.invoicing import recompute
from tollgate_sandbox.stripe.lines import new_item, put_on
from tollgate_sandbox.stripe.world import World


def start(world: World, customer: Json, prices: list[tuple[Json, int]]) -> Json:
    """An incomplete subscription."""
    if any(price["recurring"] is None for price, _ in prices):
        raise invalid("The price specified is set to `type=one_time`, but a subscription needs `type=recurring`.",
                      param="items[0][price]")  # fmt: skip
    currencies = {price["currency"] for price, _ in prices}
    if len(currencies) != 1:
        raise invalid("All prices on a subscription must have the same currency.", param="items")
    now = world.now()
    fields: Json = {
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_mode": {"type": "flexible"},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "collection_method": "charge_automatically",
        "currency": currencies.pop(),
        "customer": customer["id"],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "start_date": now,
        "status": "incomplete",
    }
    subscription = world.new("subscription", "sub", fields)
    for price, quantity in prices:
        _item(world, subscription, price, quantity)
    return subscription


def _item(world: World, subscription: Json, price: Json, quantity: int) -> None:
    now = world.now()
    fields: Json = {
        "current_period_end": later(now, price["recurring"]["interval"], price["recurring"]["interval_count"]),
        "current_period_start": now,
        "discounts": [],
        "plan": _plan(price),
        "price": dict(price),
        "quantity": quantity,
        "subscription": subscription["id"],
        "tax_rates": [],
    }
    world.new("subscription_item", "si", fields)


def _plan(price: Json) -> Json:
    """The price as plans were, which answers still carry."""
    same = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product")
    recurring: Json = price["recurring"]
    return {
        **{name: price[name] for name in same},
        **{
            name: recurring[name] for name in ("interval", "interval_count", "meter", "trial_period_days", "usage_type")
        },
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "object": "plan",
        "tiers_mode": None,
        "transform_usage": None,
    }


def first_invoice(
    world: World, subscription: Json, customer: Json, *, owner_present: bool = False
) -> tuple[Json, StripeError | None]:
    """Bill the first period and try to collect it."""
    invoice = blank(world, customer, subscription["currency"], "subscription_create", subscription)
    items = world.store.all("subscription_item", lambda item: item["subscription"] == subscription["id"])
    for item in items:
        params: Json = {"pricing": {"price": item["price"]["id"]}, "quantity": item["quantity"]}
        params["period"] = {"start": item["current_period_start"], "end": item["current_period_end"]}
        put_on(world, new_item(world, customer, subscription["currency"], params), invoice)
    invoice |= {"auto_advance": True, "default_payment_method": subscription["default_payment_method"]}
    recompute(world, invoice)
    subscription["latest_invoice"] = invoice["id"]
    world.emit("customer.subscription.created", subscription)
    world.emit("invoice.created", invoice)
    return invoice, finalize_and_collect(world, invoice, owner_present=owner_present)
