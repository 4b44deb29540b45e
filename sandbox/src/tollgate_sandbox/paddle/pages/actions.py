"""What a person does by hand in the dashboard."""

from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle import subscribing
from tollgate_sandbox.paddle.adjusting import adjust, approve, charge_back, reject, reverse
from tollgate_sandbox.paddle.changing import pause, resume
from tollgate_sandbox.paddle.errors import PaddleError, bad_request, refused
from tollgate_sandbox.paddle.ids import ADJUSTMENT, EVENT, PAYMENT_METHOD, SETTING, SUBSCRIPTION, TRANSACTION
from tollgate_sandbox.paddle.pages.common import told
from tollgate_sandbox.paddle.pages.dashboard import framed
from tollgate_sandbox.paddle.paying import attempt, complete
from tollgate_sandbox.paddle.saved import forget
from tollgate_sandbox.paddle.transacting import changed
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.pages import away, form_of

Form: TypeAlias = Mapping[str, str]
_DAY = 24 * 3600
_KINDS = {
    "transactions": TRANSACTION,
    "subscriptions": SUBSCRIPTION,
    "adjustments": ADJUSTMENT,
    "methods": PAYMENT_METHOD,
    "events": EVENT,
    "settings": SETTING,
}


def _refund(world: World, transaction: Json, form: Form) -> None:
    """So much of the lines in their order."""
    amount = form.get("amount", "")
    if not amount.isdigit() or amount == "0":
        raise bad_request(("amount", "The amount is a whole number of minor units."))
    left, items = int(amount), list[Json]()
    taken: dict[str, list[int]] = world.hidden(transaction).get("adjusted", {})
    for line in transaction["details"]["line_items"]:
        part = min(left, int(line["totals"]["total"]) - sum(taken.get(line["id"], [0, 0])))
        if part > 0:
            items.append({"item_id": line["id"], "type": "partial", "amount": str(part)})
            left -= part
    if left:
        raise refused("adjustment_amount_above_remaining_allowed", "There is less than that left.")
    adjust(world, transaction, "refund", "Requested by the customer", items)


def _edit(world: World, transaction: Json, form: Form) -> None:
    terms: Json = {"interval": "day", "frequency": 14}
    details = transaction["billing_details"] or {"enable_checkout": True, "payment_terms": terms}
    transaction["billing_details"] = {**details, "purchase_order_number": form.get("number") or None}
    changed(world, transaction)


def _paid(world: World, transaction: Json) -> None:
    if transaction["status"] != "billed":
        raise refused("transaction_immutable", f"This transaction is {transaction['status']}.")
    complete(world, transaction, None)


def _retry(world: World, transaction: Json) -> None:
    if transaction["status"] not in {"billed", "past_due"}:
        raise refused("transaction_immutable", f"This transaction is {transaction['status']}.")
    subscription = world.get(SUBSCRIPTION, transaction["subscription_id"])
    if attempt(world, transaction, world.hidden(subscription)["method"]) is not None:
        raise refused("transaction_payment_failed", "The card was declined.")


def _end(world: World, subscription: Json) -> None:
    if subscription["status"] == "canceled":
        raise refused("subscription_is_canceled_action_invalid", "This subscription is canceled.")
    subscribing.end(world, subscription)


def _rotate(world: World, setting: Json) -> None:
    """The old secret signs for another day, beside the new one."""
    world.hidden(setting).update(old_secret=setting["endpoint_secret_key"], old_until=world.now() + _DAY)
    setting["endpoint_secret_key"] = f"pdl_ntfset_{token_urlsafe(24)}"


_ACTIONS: dict[tuple[str, str], Callable[[World, Json, Form], object]] = {
    ("transactions", "refund"): _refund,
    ("transactions", "edit"): _edit,
    ("transactions", "chargeback"): lambda world, one, _: charge_back(world, one),
    ("transactions", "cancel"): lambda world, one, _: subscribing.call_off(world, one),
    ("transactions", "paid"): lambda world, one, _: _paid(world, one),
    ("transactions", "retry"): lambda world, one, _: _retry(world, one),
    ("subscriptions", "cancel"): lambda world, one, _: _end(world, one),
    ("subscriptions", "pause"): lambda world, one, _: pause(world, one, "immediately", None),
    ("subscriptions", "resume"): lambda world, one, _: resume(world, one, None),
    ("adjustments", "approve"): lambda world, one, _: approve(world, one),
    ("adjustments", "reject"): lambda world, one, _: reject(world, one),
    ("adjustments", "reverse"): lambda world, one, _: reverse(world, one),
    ("methods", "delete"): lambda world, one, _: forget(world, one),
    ("events", "resend"): lambda world, one, _: world.deliveries.again(one["id"]),
    ("settings", "rotate"): lambda world, one, _: _rotate(world, one),
}


async def act(world: World, request: Request) -> Response:
    """Do it and go back to where the button was."""
    kind, id_, action = (f"{request.path_params[name]}" for name in ("kind", "id", "action"))
    done = _ACTIONS.get((kind, action))
    try:
        if done is None:
            raise refused("invalid_url", f"There is no action {action} for {kind}.", 404)
        done(world, world.get(_KINDS[kind], id_), await form_of(request))
    except PaddleError as error:
        return framed(world, "That did not work", error=told(error))
    finally:
        world.changed()
    return away(f"/dashboard/{kind}/{id_}" if kind in {"transactions", "subscriptions"} else "/dashboard")
