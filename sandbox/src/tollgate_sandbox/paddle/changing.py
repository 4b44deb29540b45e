"""Changes to subscriptions that somebody asks for."""

from copy import deepcopy
from decimal import ROUND_HALF_UP, Decimal

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle import subscribing
from tollgate_sandbox.paddle.catalog import currency_of, cycle_of, resolve
from tollgate_sandbox.paddle.charging import bill_now, check_unlocked
from tollgate_sandbox.paddle.credits import credit
from tollgate_sandbox.paddle.details import preview
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.ids import ADDRESS, CUSTOMER
from tollgate_sandbox.paddle.renewing import base_items
from tollgate_sandbox.paddle.renewing import resume as resume_now
from tollgate_sandbox.paddle.starting import subscription_item
from tollgate_sandbox.paddle.times import seconds_of
from tollgate_sandbox.paddle.world import World

_SOONEST = 30 * 60
_SIMPLE = ("business_id", "collection_mode", "billing_details", "custom_data")


def cancel(world: World, subscription: Json, effective_from: str | None) -> None:
    """Now, or when the period ends."""
    if subscription["status"] == "canceled":
        raise refused("subscription_is_canceled_action_invalid", "subscription is canceled")
    if effective_from == "immediately" or subscription["next_billed_at"] is None:
        subscribing.end(world, subscription)
        return
    check_unlocked(world, subscription)
    _schedule(world, subscription, "cancel", subscription["next_billed_at"], None)


def pause(world: World, subscription: Json, effective_from: str | None, resume_at: str | None) -> None:
    """Now, or when the period ends."""
    check_unlocked(world, subscription)
    if subscription["status"] == "paused":
        raise refused("subscription_is_inactive_action_invalid", "subscription is paused")
    if effective_from == "immediately":
        subscribing.pause(world, subscription, resume_at)
        return
    _schedule(world, subscription, "pause", subscription["next_billed_at"], resume_at)


def resume(world: World, subscription: Json, effective_from: str | None) -> None:
    """Now or at a time; a pause that has not begun is called off or ends then."""
    if subscription["status"] == "paused":
        if effective_from in {None, "immediately"}:
            resume_now(world, subscription)
        else:
            _schedule(world, subscription, "resume", effective_from, None)
        return
    change: Json | None = subscription["scheduled_change"]
    if change is None or change["action"] != "pause":
        raise refused("subscription_not_paused", f"subscription is {subscription['status']}")
    if effective_from in {None, "immediately"}:
        subscription["scheduled_change"] = None
    else:
        change["resume_at"] = effective_from
    subscribing.updated(world, subscription)


def _schedule(world: World, subscription: Json, action: str, at: str | None, resume_at: str | None) -> None:
    subscription["scheduled_change"] = {"action": action, "effective_at": at, "resume_at": resume_at}
    subscribing.updated(world, subscription)


def update(world: World, subscription: Json, params: Json) -> None:
    """Other items, another date, other data; raises PaddleError and changes nothing where that is not possible."""
    check_unlocked(world, subscription)
    mode, failure = params.get("proration_billing_mode"), params.get("on_payment_failure") or "prevent_change"
    if subscription["status"] == "past_due" and ("items" in params or "next_billed_at" in params):
        raise refused(
            "subscription_update_when_past_due", "cannot update subscription, as the subscription status is 'past_due'"
        )
    if ("items" in params or "next_billed_at" in params) and mode is None:
        raise bad_request(("proration_billing_mode", "is required when items or next_billed_at change"))
    _check(world, subscription, params)
    if "items" in params:
        _change_items(world, subscription, params["items"], str(mode), failure)
    for name in (*_SIMPLE, "customer_id", "address_id", "next_billed_at"):
        if name in params:
            subscription[name] = params[name]
    if "scheduled_change" in params:
        subscription["scheduled_change"] = None
    if "next_billed_at" in params:
        _move(subscription, params["next_billed_at"])
    subscribing.updated(world, subscription)


def _move(subscription: Json, ends_at: str) -> None:
    """The period ends at another time; what it was billed with keeps the one it had."""
    if subscription["current_billing_period"]:
        subscription["current_billing_period"] = {**subscription["current_billing_period"], "ends_at": ends_at}
    for item in subscription["items"]:
        item["next_billed_at"] = ends_at


def _check(world: World, subscription: Json, params: Json) -> None:
    currency: str | None = params.get("currency_code")
    if currency not in {None, subscription["currency_code"]}:
        raise bad_request(("currency_code", "cannot be changed in the simulator"))
    manual = (params.get("collection_mode") or subscription["collection_mode"]) == "manual"
    if manual and not (params.get("billing_details") or subscription["billing_details"]):
        raise bad_request(("billing_details", "is required to collect manually"))
    for name, kind in (("customer_id", CUSTOMER), ("address_id", ADDRESS)):
        if name in params and world.store.of_kind(kind, params[name]) is None:
            raise bad_request((name, f"{params[name]} does not exist"))
    if "next_billed_at" in params and seconds_of(params["next_billed_at"]) < world.now() + _SOONEST:
        raise refused("subscription_next_billed_at_too_soon", "next_billed_at must be at least 30 minutes from now")


def _change_items(world: World, subscription: Json, given: list[Json], mode: str, failure: str) -> None:
    """Items that recur replace those there are; what the change costs is billed or credited as the mode says."""
    items = _new_items(world, subscription, given)
    due = difference(world, subscription, items, mode)
    before = subscription["items"]
    subscription["items"] = [subscription_item(world, subscription, item) for item in items]
    if due < 0:
        credit(world, subscription["customer_id"], subscription["currency_code"], -due)
    elif due > 0:
        bill = [_part(item, due) for item in items[:1]]
        if mode.endswith("_next_billing_period"):
            world.hidden(subscription)["pending"] += bill
            return
        try:
            bill_now(world, subscription, "subscription_update", bill, failure)
        except Exception:
            subscription["items"] = before
            raise


def _part(item: Json, due: int) -> Json:
    """The cost of a change as one line."""
    price = deepcopy(item["price"])
    price |= {"unit_price": {**price["unit_price"], "amount": str(due)}, "billing_cycle": None, "trial_period": None}
    return {"price_id": price["id"], "price": price, "quantity": 1, "proration": None}


def _new_items(world: World, subscription: Json, given: list[Json]) -> list[Json]:
    kept = {item["price"]["id"]: item["quantity"] for item in subscription["items"]}
    filled = [{**item, "quantity": item.get("quantity", kept.get(item.get("price_id"), 1))} for item in given]
    items = resolve(world, filled)
    currency_of(items, subscription["currency_code"])
    cycle = cycle_of(items)
    if cycle is None:
        raise refused("subscription_no_recurring_items_remain", "a subscription needs an item that recurs")
    if cycle != subscription["billing_cycle"]:
        raise refused("subscription_items_different_billing_cycle", "the simulator keeps the billing cycle")
    return [item for item in items if item["price"]["billing_cycle"]]


def difference(world: World, subscription: Json, items: list[Json], mode: str) -> int:
    """What a change of items costs before tax, for the rest of the period or for all of it."""
    if mode == "do_not_bill" or subscription["status"] != "active":
        return 0
    old, new = _sum(base_items(subscription)), _sum(items)
    if mode.startswith("full"):
        return max(0, new - old)
    span = subscription["current_billing_period"]
    start, end = seconds_of(span["starts_at"]), seconds_of(span["ends_at"])
    share = Decimal(max(0, end - world.now())) / max(1, end - start)
    return int((Decimal(new - old) * share).quantize(Decimal(1), ROUND_HALF_UP))


def _sum(items: list[Json]) -> int:
    return sum(int(item["price"]["unit_price"]["amount"]) * int(item["quantity"]) for item in items)


def preview_update(world: World, subscription: Json, params: Json) -> tuple[Json, Json | None, Json | None]:
    """The subscription as it would be, what the change would cost, and what would be billed at once."""
    _check(world, subscription, params)
    after: Json = deepcopy(subscription)
    for name in (*_SIMPLE, "next_billed_at"):
        if name in params:
            after[name] = params[name]
    if "items" not in params:
        return after, None, None
    mode: str = params.get("proration_billing_mode") or "do_not_bill"
    items = _new_items(world, subscription, params["items"])
    due, currency = difference(world, subscription, items, mode), subscription["currency_code"]
    after["items"] = [subscription_item(world, after, item) for item in items]
    action, plus, minus = "charge" if due >= 0 else "credit", max(0, due), max(0, -due)
    summary: Json = {
        "credit": {"amount": str(minus), "currency_code": currency},
        "charge": {"amount": str(plus), "currency_code": currency},
        "result": {"action": action, "amount": str(abs(due)), "currency_code": currency},
    }
    at_once = due > 0 and mode.endswith("_immediately")
    return after, summary, preview(world, [_part(items[0], due)], currency) if at_once else None
