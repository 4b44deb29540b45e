"""Payment attempts, and what follows when one succeeds."""

from uuid import uuid4

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.cards import BY_NUMBER, verdict
from tollgate_sandbox.paddle.details import recompute
from tollgate_sandbox.paddle.ids import PAYMENT_METHOD, SUBSCRIPTION, TRANSACTION
from tollgate_sandbox.paddle.starting import start
from tollgate_sandbox.paddle.subscribing import recovered
from tollgate_sandbox.paddle.transacting import number
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.card_form import Entered


def entered_method(entered: Entered) -> Json:
    """A card just typed in, as the simulator remembers it."""
    return {
        "payment_method_id": None,
        "stored": str(uuid4()),
        "number": entered.number,
        "card": {
            "type": BY_NUMBER[entered.number].type,
            "last4": entered.number[-4:],
            "expiry_month": entered.month,
            "expiry_year": entered.year,
            "cardholder_name": entered.name,
        },
    }


def attempt(
    world: World,
    transaction: Json,
    method: Json | None,
    *,
    owner_present: bool = False,
    authenticated: bool = False,
    keep: str | None = None,
) -> str | None:
    """Try to take the money; None when it came, else why not (`action_required` while the bank asks).

    `keep` says on what occasion the card is saved when it paid.
    """
    if method is None:
        _failed(world, transaction)
        return "no_payment_method"
    error = verdict(method, owner_present=owner_present)
    asks = owner_present and not authenticated and BY_NUMBER[method["number"]].asks
    status = "action_required" if asks else "error" if error else "captured"
    if authenticated:
        transaction["payments"] = [one for one in transaction["payments"] if one["status"] != "action_required"]
    if keep is not None and status == "captured":
        save(world, transaction, method, keep)
    transaction["payments"].insert(0, _payment(world, transaction, method, status, error))
    if asks:
        world.touched(transaction, "transaction.updated")
        return status
    if error:
        _failed(world, transaction)
        return error
    complete(world, transaction, method)
    return None


def _failed(world: World, transaction: Json) -> None:
    world.touched(transaction, "transaction.payment_failed")


def _payment(world: World, transaction: Json, method: Json, status: str, error: str | None) -> Json:
    now = world.time()
    return {
        "payment_attempt_id": str(uuid4()),
        "stored_payment_method_id": method["stored"],
        "payment_method_id": method["payment_method_id"],
        "amount": transaction["details"]["totals"]["balance"],
        "status": status,
        "error_code": error if status == "error" else None,
        "method_details": {"type": "card", "card": dict(method["card"])},
        "created_at": now,
        "captured_at": now if status == "captured" else None,
    }


def complete(world: World, transaction: Json, method: Json | None) -> None:
    """Paid; a subscription begins where items recur and there is none; then all is done."""
    world.hidden(transaction).pop("retry_at", None)
    number(world, transaction)
    transaction["status"] = "paid"
    recompute(world, transaction)
    world.touched(transaction, "transaction.paid")
    recurs = any(item["price"]["billing_cycle"] for item in transaction["items"])
    if recurs and transaction["subscription_id"] is None:
        start(world, transaction, method)
    transaction["status"] = "completed"
    recompute(world, transaction)
    world.touched(transaction, "transaction.completed")
    if transaction["subscription_id"] is not None:
        recovered(world, world.get(SUBSCRIPTION, transaction["subscription_id"]))


def save(world: World, transaction: Json, method: Json, origin: str) -> Json:
    """Keep a card for later; how its bank behaves stays hidden."""
    now = world.time()
    fields: Json = {
        "customer_id": transaction["customer_id"],
        "address_id": transaction["address_id"],
        "type": "card",
        "card": dict(method["card"]),
        "paypal": None,
        "underlying_details": None,
        "south_korea_local_card": None,
        "origin": origin,
        "saved_at": now,
        "updated_at": now,
    }
    made = world.new(PAYMENT_METHOD, fields)
    method["payment_method_id"] = made["id"]
    world.hidden(made)["method"] = method
    world.emit("payment_method.saved", made)
    return made


def pay_what_is_past_due(world: World, subscription: Json) -> None:
    """Try all that is owed with the card that the subscription has now."""
    owed = world.store.all(
        TRANSACTION, lambda one: one["subscription_id"] == subscription["id"] and one["status"] == "past_due"
    )
    for transaction in owed:
        attempt(world, transaction, world.hidden(subscription)["method"])
