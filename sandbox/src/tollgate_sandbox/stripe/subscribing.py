"""Subscriptions as far as an account that rates by itself needs them: they start, fall
behind and end, but never renew."""

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.world import World


def subscription_of(world: World, invoice: Json) -> Json | None:
    """The subscription an invoice belongs to."""
    details = as_object(as_object(invoice["parent"]).get("subscription_details"))
    return world.store.find(details.get("subscription"))


def payment_succeeded(world: World, invoice: Json) -> None:
    """Its invoice is paid: the subscription is active."""
    _become(world, subscription_of(world, invoice), "active", {"incomplete", "past_due", "unpaid"})


def payment_failed(world: World, invoice: Json) -> None:
    """Its invoice could not be paid: the subscription falls behind."""
    _become(world, subscription_of(world, invoice), "past_due", {"active"})


def end_subscription(world: World, subscription: Json) -> None:
    """Now and for good."""
    subscription |= {"status": "canceled", "canceled_at": world.now(), "ended_at": world.now()}
    world.emit("customer.subscription.deleted", subscription)


def _become(world: World, subscription: Json | None, status: str, from_: set[str]) -> None:
    if subscription is not None and subscription["status"] in from_:
        before = {"status": subscription["status"]}
        subscription["status"] = status
        world.emit("customer.subscription.updated", subscription, before)
