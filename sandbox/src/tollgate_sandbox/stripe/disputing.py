"""Disputes: a cardholder takes a payment back until the bank decides."""

import stripe

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.balances import movement
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.world import World

DAYS_TO_ANSWER = 7
CLOSED = {"won", "lost", "warning_closed", "prevented"}


def open_dispute(world: World, charge: Json, reason: str = "fraudulent") -> Json:
    """The cardholder disputes a charge: the money leaves at once."""
    if charge["disputed"]:
        raise invalid("This charge has already been disputed.")
    amount = charge["amount"] - charge["amount_refunded"]
    fields: Json = {
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(stripe.Dispute.Evidence.__annotations__), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": world.now() + DAYS_TO_ANSWER * 24 * 3600,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }
    dispute = world.new("dispute", "du", fields)
    charge["disputed"] = True
    _move(world, dispute, -amount)
    world.emit("charge.dispute.created", dispute)
    world.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(world: World, dispute: Json, status: str) -> None:
    """The bank has decided, or the seller gives in."""
    if dispute["status"] in CLOSED:
        raise invalid("This dispute is already closed.", code="dispute_already_closed")
    dispute["status"] = status
    if status == "won":
        _move(world, dispute, dispute["amount"])
        world.emit("charge.dispute.funds_reinstated", dispute)
    world.emit("charge.dispute.closed", dispute)


def _move(world: World, dispute: Json, amount: int) -> None:
    booked = movement(world, amount, dispute["currency"], "adjustment", dispute["id"], "Chargeback")
    dispute["balance_transactions"].append(dict(booked))
