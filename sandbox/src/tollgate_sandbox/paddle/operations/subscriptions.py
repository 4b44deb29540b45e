"""Subscriptions."""

from paddle_billing.Resources.Subscriptions.Operations import (
    CancelSubscription,
    CreateOneTimeCharge,
    ListSubscriptions,
    PauseSubscription,
    PreviewOneTimeCharge,
    PreviewUpdateSubscription,
    ResumeSubscription,
    UpdateSubscription,
)
from paddle_billing.Resources.Subscriptions.Operations.Get.Includes import Includes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.paddle.calls import Answer, Call, Operation
from tollgate_sandbox.paddle.card_changing import card_change
from tollgate_sandbox.paddle.changing import cancel, pause, preview_update, resume, update
from tollgate_sandbox.paddle.charging import charge, charge_items, check_unlocked
from tollgate_sandbox.paddle.details import preview
from tollgate_sandbox.paddle.errors import refused
from tollgate_sandbox.paddle.ids import SUBSCRIPTION
from tollgate_sandbox.paddle.listing import Filter
from tollgate_sandbox.paddle.rendering import next_transaction, recurring_details, show_subscription
from tollgate_sandbox.paddle.renewing import base_items, renew
from tollgate_sandbox.paddle.times import text_of

_SPECIAL: dict[str, Filter] = {
    "scheduled_change_action": lambda one, wanted: as_object(one["scheduled_change"]).get("action") in wanted,
    "price_id": lambda one, wanted: any(item["price"]["id"] in wanted for item in one["items"]),
}


def _list(call: Call) -> Answer:
    return call.listed(call.store.all(SUBSCRIPTION), special=_SPECIAL)


def _get(call: Call) -> Json:
    return show_subscription(call.world, call.named(SUBSCRIPTION), call.include)


def _charge(call: Call) -> Json:
    subscription, params = call.named(SUBSCRIPTION), call.params
    failure = params.get("on_payment_failure", "prevent_change")
    charge(call.world, subscription, params["items"], params["effective_from"], failure)
    return subscription


def _preview_charge(call: Call) -> Json:
    """What a charge would do, without doing it."""
    subscription, params = call.named(SUBSCRIPTION), call.params
    items, at_once = charge_items(call.world, subscription, params["items"]), params["effective_from"] == "immediately"
    params.get("on_payment_failure")
    details = preview(call.world, items, subscription["currency_code"])
    coming = next_transaction(call.world, subscription)
    if coming is not None and not at_once:
        waiting = call.world.hidden(subscription)["pending"]
        every = [*base_items(subscription), *waiting, *items]
        coming["details"] = preview(call.world, every, subscription["currency_code"])
    span = subscription["current_billing_period"]
    return {
        **_without_id(subscription),
        "immediate_transaction": {"billing_period": span, "details": details, "adjustments": []} if at_once else None,
        "next_transaction": coming,
        "recurring_transaction_details": recurring_details(call.world, subscription),
        "update_summary": None,
    }


def _without_id(subscription: Json) -> Json:
    return {name: value for name, value in subscription.items() if name != "id"}


def _preview_update(call: Call) -> Json:
    subscription = call.named(SUBSCRIPTION)
    after, summary, details = preview_update(call.world, subscription, call.params)
    span = after["current_billing_period"]
    return {
        **_without_id(after),
        "immediate_transaction": {"billing_period": span, "details": details, "adjustments": []} if details else None,
        "next_transaction": next_transaction(call.world, {**after, "id": subscription["id"]}),
        "recurring_transaction_details": recurring_details(call.world, after),
        "update_summary": summary,
    }


def _update(call: Call) -> Json:
    subscription = call.named(SUBSCRIPTION)
    update(call.world, subscription, call.params)
    return subscription


def _cancel(call: Call) -> Json:
    subscription = call.named(SUBSCRIPTION)
    cancel(call.world, subscription, call.params.get("effective_from"))
    return subscription


def _pause(call: Call) -> Json:
    subscription, params = call.named(SUBSCRIPTION), call.params
    pause(call.world, subscription, params.get("effective_from"), params.get("resume_at"))
    return subscription


def _resume(call: Call) -> Json:
    subscription = call.named(SUBSCRIPTION)
    resume(call.world, subscription, call.params.get("effective_from"))
    return subscription


def _activate(call: Call) -> Json:
    """End a trial now."""
    subscription = call.named(SUBSCRIPTION)
    if subscription["status"] != "trialing":
        raise refused("subscription_not_trialing", f"subscription is {subscription['status']}")
    check_unlocked(call.world, subscription)
    subscription["next_billed_at"] = text_of(call.world.now())
    renew(call.world, subscription)
    return subscription


_ONE = "/subscriptions/{id}"
OPERATIONS = (
    Operation("GET", "/subscriptions", _list, query=ListSubscriptions),
    Operation("GET", _ONE, _get, include=Includes),
    Operation("PATCH", _ONE, _update, UpdateSubscription),
    Operation("PATCH", f"{_ONE}/preview", _preview_update, PreviewUpdateSubscription),
    Operation("POST", f"{_ONE}/activate", _activate),
    Operation("POST", f"{_ONE}/cancel", _cancel, CancelSubscription),
    Operation("POST", f"{_ONE}/charge", _charge, CreateOneTimeCharge),
    Operation("POST", f"{_ONE}/charge/preview", _preview_charge, PreviewOneTimeCharge),
    Operation("POST", f"{_ONE}/pause", _pause, PauseSubscription),
    Operation("POST", f"{_ONE}/resume", _resume, ResumeSubscription),
    Operation(
        "GET",
        f"{_ONE}/update-payment-method-transaction",
        lambda call: card_change(call.world, call.named(SUBSCRIPTION)),
    ),
)
