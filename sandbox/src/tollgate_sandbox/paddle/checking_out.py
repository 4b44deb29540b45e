"""What a customer does at a checkout: say who they are, pay, and let the card be kept."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.cards import by_number
from tollgate_sandbox.paddle.clientele import new_address, new_customer, same_email
from tollgate_sandbox.paddle.details import recompute
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.ids import ADDRESS, CUSTOMER, SUBSCRIPTION
from tollgate_sandbox.paddle.paying import attempt, entered_method, pay_what_is_past_due
from tollgate_sandbox.paddle.subscribing import updated
from tollgate_sandbox.paddle.transacting import OPEN, OWED, changed
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.card_form import Entered

CARD_CHANGE = "subscription_payment_method_change"


def payable(transaction: Json) -> bool:
    """Whether a checkout still has something to do."""
    return transaction["checkout"] is not None and transaction["status"] in OPEN | OWED


def submit(world: World, transaction: Json, entered: Entered, *, keep: bool) -> str | None:
    """Pay with a card just typed in; None when paid, else why not (`action_required` while the bank asks)."""
    if not payable(transaction):
        raise refused("transaction_immutable", f"This transaction is {transaction['status']}.")
    by_number(entered.number)
    _identify(world, transaction, entered)
    method = entered_method(entered)
    error = attempt_with(world, transaction, method, keep=keep, authenticated=False)
    if error == "action_required":
        world.hidden(transaction)["asked"] = {"method": method, "keep": keep}
    return error


def attempt_with(world: World, transaction: Json, method: Json, *, keep: bool, authenticated: bool) -> str | None:
    """Take the money, and keep the card where a subscription needs it or its owner agreed."""
    subscription = world.store.of_kind(SUBSCRIPTION, transaction["subscription_id"])
    recurs = subscription is not None or any(item["price"]["billing_cycle"] for item in transaction["items"])
    origin = "subscription" if recurs else "saved_during_purchase" if keep else None
    error = attempt(world, transaction, method, owner_present=True, authenticated=authenticated, keep=origin)
    if error is None and subscription is not None:
        world.hidden(subscription)["method"] = method
        updated(world, subscription)
        pay_what_is_past_due(world, subscription)
    return error


def answer_bank(world: World, transaction: Json, *, agreed: bool) -> str | None:
    """The owner told the bank yes or no."""
    asked: Json | None = world.hidden(transaction).pop("asked", None)
    if asked is None:
        raise refused("transaction_immutable", "Nothing waits for the bank.")
    if agreed:
        return attempt_with(world, transaction, asked["method"], keep=asked["keep"], authenticated=True)
    for payment in transaction["payments"]:
        if payment["status"] == "action_required":
            payment |= {"status": "error", "error_code": "authentication_failed"}
    world.touched(transaction, "transaction.payment_failed")
    return "authentication_failed"


def _identify(world: World, transaction: Json, entered: Entered) -> None:
    """Customer and country, which the tax depends on; what the seller set stays."""
    before = (transaction["customer_id"], transaction["address_id"])
    customer = world.store.of_kind(CUSTOMER, transaction["customer_id"]) or _customer(world, entered)
    transaction["customer_id"] = customer["id"]
    if transaction["address_id"] is None:
        transaction["address_id"] = _address(world, customer, entered)["id"]
    if before == (transaction["customer_id"], transaction["address_id"]):
        return
    if transaction["status"] in OPEN:
        changed(world, transaction)
    else:
        recompute(world, transaction)


def _customer(world: World, entered: Entered) -> Json:
    if "@" not in entered.email:
        raise bad_request(("email", "Write your email address."))
    known = same_email(world, entered.email)
    return known or new_customer(world, {"email": entered.email, "name": entered.name or None})


def _address(world: World, customer: Json, entered: Entered) -> Json:
    if len(entered.country) != 2:
        raise bad_request(("country", "Write your country with two letters."))
    known = world.store.all(
        ADDRESS, lambda one: one["customer_id"] == customer["id"] and one["country_code"] == entered.country
    )
    return known[0] if known else new_address(world, customer, {"country_code": entered.country})
