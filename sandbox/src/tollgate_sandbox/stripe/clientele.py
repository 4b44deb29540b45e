"""Customers come and go."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.shapes import new_id
from tollgate_sandbox.stripe.subscribing import end_subscription
from tollgate_sandbox.stripe.world import World


def new_customer(world: World, fields: Json) -> Json:
    """A customer who owes nothing and has no card."""
    settings = dict.fromkeys(("custom_fields", "default_payment_method", "footer", "rendering_options"))
    frame: Json = {
        "balance": 0,
        "delinquent": False,
        "invoice_credit_balance": {},
        "invoice_prefix": new_id("x", 8)[2:].upper(),
        "invoice_settings": settings,
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
    }
    return world.new("customer", "cus", frame | fields)


def remove_customer(world: World, customer: Json) -> None:
    """Delete for good; subscriptions end, cards are nobody's, invoices stay as they are."""
    for subscription in world.store.all("subscription", lambda one: one["customer"] == customer["id"]):
        if subscription["status"] != "canceled":
            end_subscription(world, subscription)
    for method in world.store.all("payment_method", lambda one: one["customer"] == customer["id"]):
        method["customer"] = None
    world.emit("customer.deleted", customer)
    world.store.remove(customer)
