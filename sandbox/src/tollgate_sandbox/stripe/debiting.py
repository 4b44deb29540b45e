"""Bank debits: a payment that is promised now and settles, or fails, days later."""

from typing import Any

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.cards import Decline
from tollgate_sandbox.stripe.charging import approve, decline
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.payment_methods import new_method
from tollgate_sandbox.stripe.world import World

SETTLES = "DE89370400440532013000"
FAILS = "DE62370400440532013001"
DAYS = 5
_BOUNCED = Decline("payment_method_provider_decline", None, "The bank returned the debit.")


def debit_method(world: World, iban: str, billing: Any = None) -> Json:
    """A payment method of a test IBAN; raises StripeError for any other."""
    number = iban.replace(" ", "").upper()
    if number not in {SETTLES, FAILS}:
        raise StripeError(
            400, "The IBAN is invalid. The simulator knows only test IBANs.", code="invalid_bank_account_iban"
        )
    details: Json = {
        "bank_code": number[4:12],
        "branch_code": "",
        "country": number[:2],
        "fingerprint": f"test{number[-12:]}",
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": number[-4:],
    }
    return new_method(world, "sepa_debit", details, billing, {"iban": number})


def promise(world: World, intent: Json, method: Json) -> None:
    """The bank was asked."""
    intent |= {"payment_method": method["id"], "status": "processing", "next_action": None}
    world.store.hidden[intent["id"]]["settles_at"] = world.now() + DAYS * 24 * 3600
    world.emit("payment_intent.processing", intent)


def settle_debit(world: World, intent: Json) -> None:
    """The bank has answered."""
    method = world.store.get("payment_method", intent["payment_method"], "payment_method")
    paid = world.store.hidden[method["id"]]["iban"] == SETTLES
    if paid:
        approve(world, intent, method)
    else:
        decline(world, intent, method, _BOUNCED)
    for session in world.store.all("checkout.session", lambda one: one["payment_intent"] == intent["id"]):
        session["payment_status"] = "paid" if paid else "unpaid"
        world.emit(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", session)
