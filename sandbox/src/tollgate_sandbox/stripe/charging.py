"""Attempts to charge a card: what the bank says becomes a charge, a state of the payment intent, and events."""

from dataclasses import dataclass
from typing import Any

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.balances import movement
from tollgate_sandbox.stripe.cards import Decline, card_error, charge_verdict
from tollgate_sandbox.stripe.disputing import open_dispute
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.payment_methods import card_of
from tollgate_sandbox.stripe.rendering import render
from tollgate_sandbox.stripe.shapes import new_id
from tollgate_sandbox.stripe.world import World

_OWNER = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Paid, to be authenticated by the owner, or refused."""

    paid: bool = False
    action: bool = False
    error: StripeError | None = None


def new_intent(world: World, amount: int, currency: str, fields: Json, *, invoice: str | None = None) -> Json:
    """A payment intent that nobody tried to pay yet."""
    frame: Json = {
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "currency": currency,
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }
    intent = world.new("payment_intent", "pi", frame | fields, hidden={"invoice": invoice})
    intent["client_secret"] = f"{intent['id']}_secret_{new_id('x', 20)[2:]}"
    world.emit("payment_intent.created", intent)
    return intent


def attempt(
    world: World, intent: Json, method: Json, *, off_session: bool = False, authenticated: bool = False
) -> Outcome:
    """One attempt with that card."""
    card = card_of(world, method)
    set_up: bool = world.store.hidden[method["id"]]["set_up"]
    verdict = charge_verdict(card, set_up=set_up, authenticated=authenticated)
    of_invoice = world.store.hidden[intent["id"]]["invoice"] is not None
    intent["payment_method"] = method["id"]
    intent["next_action"] = None
    if verdict.authenticate and (of_invoice or not off_session):
        return _ask_owner(world, intent)
    if verdict.authenticate or verdict.decline is not None:
        return decline(world, intent, method, verdict.decline or _OWNER)
    charge = approve(world, intent, method)
    if card.dispute is not None:
        open_dispute(world, charge, card.dispute)
    return Outcome(paid=True)


def cancel_intent(world: World, intent: Json, reason: str) -> None:
    """Give a payment up."""
    intent |= {"status": "canceled", "canceled_at": world.now(), "cancellation_reason": reason, "next_action": None}
    world.emit("payment_intent.canceled", intent)


def _ask_owner(world: World, intent: Json) -> Outcome:
    intent["status"] = "requires_action"
    url = f"{world.base_url}/authenticate/{intent['id']}"
    return_url = world.store.hidden[intent["id"]].get("return_url")
    if return_url:
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": return_url}}
    else:
        intent["next_action"] = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    world.emit("payment_intent.requires_action", intent)
    return Outcome(action=True)


def decline(world: World, intent: Json, method: Json, reason: Decline) -> Outcome:
    """The bank said no."""
    charge = _charge(world, intent, method)
    charge |= {
        "status": "failed",
        "paid": False,
        "captured": False,
        "amount_captured": 0,
        "failure_code": reason.code,
        "failure_message": reason.message,
    }
    charge["outcome"] |= {
        "network_status": "declined_by_network",
        "reason": reason.decline_code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
    error = card_error(reason, charge=charge["id"], payment_method=render(world.store, method))
    intent |= {"status": "requires_payment_method", "payment_method": None, "latest_charge": charge["id"]}
    intent["last_payment_error"] = error.body()["error"]
    world.emit("charge.failed", charge)
    world.emit("payment_intent.payment_failed", intent)
    error.more["payment_intent"] = render(world.store, intent)
    return Outcome(error=error)


def approve(world: World, intent: Json, method: Json) -> Json:
    """The bank said yes; the charge."""
    charge = _charge(world, intent, method)
    charge["balance_transaction"] = movement(world, charge["amount"], charge["currency"], "charge", charge["id"])["id"]
    intent |= {
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "status": "succeeded",
    }
    world.emit("charge.succeeded", charge)
    world.emit("payment_intent.succeeded", intent)
    return charge


def _charge(world: World, intent: Json, method: Json) -> Json:
    billing: dict[str, Any] = method["billing_details"]
    return world.new(
        "charge",
        "ch",
        {
            "amount": intent["amount"],
            "amount_captured": intent["amount"],
            "amount_refunded": 0,
            "billing_details": dict(billing),
            "captured": True,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "fraud_details": {},
            "metadata": dict(intent["metadata"]),
            "outcome": {
                "network_status": "approved_by_network",
                "reason": None,
                "risk_level": "normal",
                "seller_message": "Payment complete.",
                "type": "authorized",
            },
            "paid": True,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _paid_with(method),
            "receipt_email": intent["receipt_email"],
            "refunded": False,
            "status": "succeeded",
        },
    )


def _paid_with(method: Json) -> Json:
    kind: str = method["type"]
    names = {"bank_code", "brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4"}
    return {kind: {name: value for name, value in method[kind].items() if name in names}, "type": kind}
