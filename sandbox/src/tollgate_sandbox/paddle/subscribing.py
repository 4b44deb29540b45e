"""The states of a subscription."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.ids import SUBSCRIPTION, TRANSACTION
from tollgate_sandbox.paddle.transacting import cancel
from tollgate_sandbox.paddle.world import World


def updated(world: World, subscription: Json) -> None:
    """Something of it changed."""
    world.touched(subscription, "subscription.updated")


def become(world: World, subscription: Json, status: str, event: str) -> None:
    """Another state; told by an event of its own and as any change."""
    subscription["status"] = status
    world.touched(subscription, f"subscription.{event}")
    updated(world, subscription)


def fell_behind(world: World, subscription: Json) -> None:
    """A payment failed."""
    if subscription["status"] in {"active", "trialing"}:
        become(world, subscription, "past_due", "past_due")


def owed(world: World, subscription: Json) -> list[Json]:
    """Its transactions that were not paid in time, oldest first."""
    return world.store.all(
        TRANSACTION, lambda one: one["subscription_id"] == subscription["id"] and one["status"] == "past_due"
    )


def recovered(world: World, subscription: Json) -> None:
    """Nothing is owed any more."""
    if subscription["status"] == "past_due" and not owed(world, subscription):
        become(world, subscription, "active", "activated")


def call_off(world: World, transaction: Json) -> None:
    """Cancel a transaction; its subscription may be free of debts then."""
    cancel(world, transaction)
    subscription = world.store.of_kind(SUBSCRIPTION, transaction["subscription_id"])
    if subscription is not None:
        recovered(world, subscription)


def end(world: World, subscription: Json) -> None:
    """Canceled for good; what is still owed will not be collected."""
    now = world.time()
    gone = ("next_billed_at", "scheduled_change", "current_billing_period")
    subscription |= {"canceled_at": now, **dict.fromkeys(gone)}
    for item in subscription["items"]:
        item |= {"status": "inactive", "next_billed_at": None}
    become(world, subscription, "canceled", "canceled")
    for transaction in owed(world, subscription):
        cancel(world, transaction)


def pause(world: World, subscription: Json, resume_at: str | None) -> None:
    """No billing until it resumes."""
    later: Json | None = {"action": "resume", "effective_at": resume_at, "resume_at": None} if resume_at else None
    subscription |= {"paused_at": world.time(), "next_billed_at": None, "scheduled_change": later}
    subscription["current_billing_period"] = None
    for item in subscription["items"]:
        item["next_billed_at"] = None
    become(world, subscription, "paused", "paused")
