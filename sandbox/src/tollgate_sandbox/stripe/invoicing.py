"""The life of an invoice: draft, open, then paid, void or uncollectible."""

from decimal import Decimal

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe import balances
from tollgate_sandbox.stripe.charging import cancel_intent, new_intent
from tollgate_sandbox.stripe.currencies import check_charge
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.totals import due, line_taxes, summed, total_taxes
from tollgate_sandbox.stripe.world import World

DAY = 24 * 3600


def recompute(world: World, invoice: Json) -> None:
    """Bring a draft's sums up to date with its lines."""
    lines = world.store.of_invoice("line_item", invoice["id"])
    customer = world.store.find(invoice["customer"])
    percent = _tax_percent(world, invoice, customer)
    for line in lines:
        behavior = world.store.hidden[line["parent"]["invoice_item_details"]["invoice_item"]]["tax_behavior"]
        behavior = "exclusive" if behavior == "unspecified" else behavior
        line["taxes"] = [] if percent is None else line_taxes(line, percent, invoice["currency"], behavior)
    totals = summed(lines)
    balance = balances.of(customer, invoice["currency"]) if customer else 0
    amount = due(totals.total, balance, invoice["currency"]).amount
    invoice |= {
        "amount_due": amount,
        "amount_remaining": amount,
        "starting_balance": balance,
        "subtotal": totals.subtotal,
        "subtotal_excluding_tax": totals.subtotal - totals.inclusive_tax,
        "total": totals.total,
        "total_excluding_tax": totals.total - totals.exclusive_tax - totals.inclusive_tax,
        "total_taxes": total_taxes(lines),
    }
    if invoice["automatic_tax"]["enabled"]:
        invoice["automatic_tax"]["status"] = "requires_location_inputs" if percent is None else "complete"


def _tax_percent(world: World, invoice: Json, customer: Json | None) -> Decimal | None:
    """None where no tax is computed, be it for want of an address."""
    if not invoice["automatic_tax"]["enabled"] or not _country(customer):
        return None
    exempt = as_object(customer)["tax_exempt"] != "none"
    return Decimal(0) if exempt else Decimal(world.settings.tax_percent)


def _country(customer: Json | None) -> str | None:
    return as_object(as_object(customer).get("address")).get("country")


def finalize(world: World, invoice: Json) -> None:
    """From draft to open, or to paid where nothing is due; raises StripeError and leaves a draft."""
    if invoice["status"] != "draft":
        raise invalid("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    customer = world.store.get("customer", invoice["customer"], "customer")
    recompute(world, invoice)
    if invoice["automatic_tax"]["status"] == "requires_location_inputs":
        raise _finalization_failed(world, invoice)
    amount: int = invoice["amount_due"]
    if amount:
        check_charge(amount, invoice["currency"])
    ending = due(invoice["total"], invoice["starting_balance"], invoice["currency"]).ending_balance
    _number(world, invoice, customer)
    _freeze(world, invoice, customer, ending)
    if ending != invoice["starting_balance"]:
        change = ending - invoice["starting_balance"]
        balances.book(world, customer, change, invoice["currency"], "applied_to_invoice", invoice["id"])
    if amount:
        _ask_for_payment(world, invoice, amount)
    world.emit("invoice.finalized", invoice)
    if not amount:
        mark_paid(world, invoice, 0)


def _finalization_failed(world: World, invoice: Json) -> StripeError:
    error = invalid(
        "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate"
        " tax.",
        code="customer_tax_location_invalid",
        param="automatic_tax",
    )
    invoice["last_finalization_error"] = error.body()["error"]
    world.emit("invoice.finalization_failed", invoice)
    return error


def _number(world: World, invoice: Json, customer: Json) -> None:
    if invoice["number"] is None:
        taken = {other["number"] for other in world.store.all("invoice", lambda one: one["customer"] == customer["id"])}
        while (number := f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}") in taken:
            customer["next_invoice_sequence"] += 1
        invoice["number"] = number
        customer["next_invoice_sequence"] += 1


def _freeze(world: World, invoice: Json, customer: Json, ending: int) -> None:
    now = world.now()
    page = f"{world.base_url}/i/{invoice['id']}"
    invoice |= {
        "automatically_finalizes_at": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "effective_at": invoice["effective_at"] or now,
        "ending_balance": ending,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
        "last_finalization_error": None,
        "status": "open",
    }
    invoice["status_transitions"]["finalized_at"] = now
    days = world.store.hidden[invoice["id"]].get("days_until_due")
    if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is None:
        invoice["due_date"] = now + (days or 0) * DAY


def _ask_for_payment(world: World, invoice: Json, amount: int) -> None:
    fields: Json = {
        "customer": invoice["customer"],
        "description": f"Payment for Invoice {invoice['number']}",
        "setup_future_usage": None,
    }
    intent = new_intent(world, amount, invoice["currency"], fields, invoice=invoice["id"])
    payment: Json = {
        "amount_paid": None,
        "amount_requested": amount,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
    world.new("invoice_payment", "inpay", payment)


def intent_of(world: World, invoice: Json) -> Json | None:
    """The payment intent by which an invoice is paid."""
    for payment in world.store.of_invoice("invoice_payment", invoice["id"]):
        return world.store.find(payment["payment"]["payment_intent"])
    return None


def mark_paid(world: World, invoice: Json, amount: int, *, out_of_band: bool = False) -> None:
    """Nothing is left to pay."""
    now = world.now()
    invoice |= {
        "amount_paid": invoice["amount_paid"] + amount,
        "amount_remaining": 0,
        "attempted": True,
        "next_payment_attempt": None,
        "status": "paid",
    }
    if out_of_band:
        invoice["amount_paid_off_stripe"] = amount
    invoice["status_transitions"]["paid_at"] = now
    for payment in world.store.of_invoice("invoice_payment", invoice["id"]):
        paid = not out_of_band and amount > 0
        payment.update({"status": "paid", "amount_paid": amount} if paid else {"status": "canceled"})
        payment["status_transitions"]["paid_at" if paid else "canceled_at"] = now
        if paid:
            world.emit("invoice_payment.paid", payment)
    world.emit("invoice.paid", invoice)
    if not out_of_band:
        world.emit("invoice.payment_succeeded", invoice)


def pay_out_of_band(world: World, invoice: Json) -> None:
    """It was paid elsewhere."""
    _require(invoice, {"open", "uncollectible"}, "paid")
    _cancel_payment(world, invoice, "automatic")
    mark_paid(world, invoice, invoice["amount_remaining"], out_of_band=True)


def void(world: World, invoice: Json) -> None:
    """As if it had never been; what it took from the customer's balance goes back."""
    _require(invoice, {"open", "uncollectible"}, "voided")
    _cancel_payment(world, invoice, "void_invoice")
    invoice |= {"status": "void", "next_payment_attempt": None}
    invoice["status_transitions"]["voided_at"] = world.now()
    customer = world.store.find(invoice["customer"])
    change = invoice["starting_balance"] - invoice["ending_balance"]
    if customer is not None and change:
        balances.book(world, customer, change, invoice["currency"], "unapplied_from_invoice", invoice["id"])
    world.emit("invoice.voided", invoice)


def mark_uncollectible(world: World, invoice: Json) -> None:
    """Nobody expects the money any more."""
    _require(invoice, {"open"}, "marked uncollectible")
    invoice |= {"status": "uncollectible", "next_payment_attempt": None}
    invoice["status_transitions"]["marked_uncollectible_at"] = world.now()
    world.emit("invoice.marked_uncollectible", invoice)


def _cancel_payment(world: World, invoice: Json, reason: str) -> None:
    intent = intent_of(world, invoice)
    if intent is not None and intent["status"] not in {"succeeded", "canceled"}:
        cancel_intent(world, intent, reason)
        for payment in world.store.of_invoice("invoice_payment", invoice["id"]):
            payment["status"] = "canceled"
            payment["status_transitions"]["canceled_at"] = world.now()


def _require(invoice: Json, allowed: set[str], done: str) -> None:
    if invoice["status"] not in allowed:
        words = " or ".join(sorted(allowed))
        raise invalid(f"Only invoices that are {words} can be {done}. This one is {invoice['status']}.")
