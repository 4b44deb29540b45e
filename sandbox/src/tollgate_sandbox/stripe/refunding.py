"""Refunds."""

from typing import Any

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.balances import movement
from tollgate_sandbox.stripe.calls import merged
from tollgate_sandbox.stripe.currencies import check_amount, written
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.world import World


def refund(
    world: World, charge: Json, amount: int | None = None, reason: str | None = None, metadata: Any = None
) -> Json:
    """Give a charge back, all that is left of it or a part; raises StripeError where that cannot be."""
    amount = _checked(charge, amount)
    fields: Json = {
        "amount": amount,
        "charge": charge["id"],
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": {"card": {"reference": None, "type": "refund"}, "type": "card"},
        "metadata": merged({}, metadata or ""),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "status": "succeeded",
    }
    made = world.new("refund", "re", fields)
    made["balance_transaction"] = movement(world, -amount, charge["currency"], "refund", made["id"])["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    world.emit("refund.created", made)
    world.emit("charge.refunded", charge)
    return made


def _checked(charge: Json, amount: int | None) -> int:
    if charge["status"] != "succeeded":
        raise invalid(f"Charge {charge['id']} was not paid and cannot be refunded.", param="charge")
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left: int = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise invalid(message, code="charge_already_refunded")
    amount = left if amount is None else amount
    check_amount(amount, charge["currency"])
    if not 1 <= amount <= left:
        asked, rest = written(amount, charge["currency"]), written(left, charge["currency"])
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
        raise invalid(message if amount > left else "Invalid positive integer", param="amount")
    return amount
