"""What an answer shows of an object, and what it includes on request."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.details import preview
from tollgate_sandbox.paddle.ids import ADDRESS, ADJUSTMENT, BUSINESS, CUSTOMER
from tollgate_sandbox.paddle.renewing import base_items
from tollgate_sandbox.paddle.times import period, seconds_of
from tollgate_sandbox.paddle.world import World


def show_transaction(world: World, transaction: Json, include: list[str]) -> Json:
    """A transaction with what is to come along."""
    shown = dict(transaction)
    for name, kind in (("customer", CUSTOMER), ("address", ADDRESS), ("business", BUSINESS)):
        if name in include:
            shown[name] = world.store.of_kind(kind, transaction[f"{name}_id"])
    adjustments = world.store.all(ADJUSTMENT, lambda one: bool(one["transaction_id"] == transaction["id"]))
    if "adjustment" in include:
        shown["adjustments"] = adjustments
    if "adjustments_totals" in include:
        shown["adjustments_totals"] = shown["adjustment_totals"] = _sums(transaction, adjustments)
    if "discount" in include:
        shown["discount"] = None
    if "available_payment_methods" in include:
        shown["available_payment_methods"] = ["card"]
    return shown


def _sums(transaction: Json, adjustments: list[Json]) -> Json:
    """Both names: the documentation has one and the SDK reads the other."""
    counted = [one for one in adjustments if one["status"] in {"approved", "pending_approval"}]
    real = [one for one in counted if not one["action"].endswith("_reverse")]

    def summed(name: str, action: str | None = None) -> str:
        return str(sum(int(one["totals"][name]) for one in real if action in {None, one["action"]}))

    return {
        "subtotal": summed("subtotal"),
        "tax": summed("tax"),
        "total": summed("total"),
        "fee": "0",
        "earnings": summed("earnings"),
        "breakdown": {action: summed("total", action) for action in ("credit", "refund", "chargeback")},
        "currency_code": transaction["currency_code"],
    }


def show_subscription(world: World, subscription: Json, include: list[str]) -> Json:
    """A subscription with what is to come along."""
    shown = dict(subscription)
    if "next_transaction" in include:
        shown["next_transaction"] = next_transaction(world, subscription)
    if "recurring_transaction_details" in include:
        shown["recurring_transaction_details"] = recurring_details(world, subscription)
    return shown


def next_transaction(world: World, subscription: Json) -> Json | None:
    """What the next period will be billed, one-off charges included; None when there will be none."""
    change: Json | None = subscription["scheduled_change"]
    if subscription["next_billed_at"] is None or (change and change["action"] != "resume"):
        return None
    items = [*base_items(subscription), *world.hidden(subscription)["pending"]]
    span = period(seconds_of(subscription["next_billed_at"]), subscription["billing_cycle"])
    details = preview(world, items, subscription["currency_code"])
    return {"billing_period": span, "details": details, "adjustments": []}


def recurring_details(world: World, subscription: Json) -> Json:
    """What every period is billed."""
    return preview(world, base_items(subscription), subscription["currency_code"])
