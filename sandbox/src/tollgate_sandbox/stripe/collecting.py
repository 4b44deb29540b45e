"""Collecting invoices: the first attempt, retries, and what follows when the money comes."""

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.charging import Outcome, attempt
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.invoicing import DAY, finalize, intent_of, mark_paid, mark_uncollectible
from tollgate_sandbox.stripe.subscribing import payment_failed, payment_succeeded
from tollgate_sandbox.stripe.world import World

RETRY_DAYS = (3, 5, 7)
"""After the first failure."""


def finalize_and_collect(world: World, invoice: Json, *, owner_present: bool = False) -> StripeError | None:
    """Finalize; where Stripe is to collect by itself, try at once. A declined card does not undo the finalization."""
    finalize(world, invoice)
    if invoice["status"] == "paid":
        payment_succeeded(world, invoice)
    elif invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically":
        return collect(world, invoice, authenticated=owner_present)
    return None


def collect(
    world: World, invoice: Json, method: Json | None = None, *, authenticated: bool = False
) -> StripeError | None:
    """Charge the invoice to that card or to the default one; the error, if it was not paid."""
    intent = intent_of(world, invoice)
    method = method or _default_method(world, invoice)
    if method is None or intent is None:
        error = invalid(
            "There is no `default_payment_method` set on this Customer or Invoice.",
            code="missing",
        )
        return _failed(world, invoice, Outcome(error=error))
    outcome = attempt(world, intent, method, off_session=True, authenticated=authenticated)
    if outcome.paid:
        settle(world, intent)
        return None
    return _failed(world, invoice, outcome)


def settle(world: World, intent: Json) -> None:
    """A payment intent succeeded: so did its invoice, if it has one."""
    invoice = world.store.find(world.store.hidden[intent["id"]]["invoice"])
    if invoice is not None and invoice["status"] in {"open", "uncollectible"}:
        first = invoice["attempt_count"] == 0
        invoice["attempt_count"] += 1 if first else 0
        mark_paid(world, invoice, intent["amount_received"])
        payment_succeeded(world, invoice)


def retry(world: World, invoice: Json) -> None:
    """An automatic attempt whose time has come."""
    collect(world, invoice)


def _failed(world: World, invoice: Json, outcome: Outcome) -> StripeError:
    hidden = world.store.hidden[invoice["id"]]
    first = hidden.setdefault("first_failed", world.now())
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    offsets = [first + days * DAY for days in RETRY_DAYS]
    left = [at for at in offsets if at > world.now()]
    automatic = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"
    invoice["next_payment_attempt"] = left[0] if automatic and left else None
    world.emit("invoice.payment_failed", invoice)
    payment_failed(world, invoice)
    if outcome.action:
        world.emit("invoice.payment_action_required", invoice)
    if automatic and not left and world.settings.after_retries == "uncollectible" and invoice["status"] == "open":
        mark_uncollectible(world, invoice)
    return outcome.error or StripeError(
        402,
        "This payment requires additional user action before it can be completed successfully. Payment can be completed"
        " using the PaymentIntent associated with the invoice.",
        kind="card_error",
        code="invoice_payment_intent_requires_action",
    )


def _default_method(world: World, invoice: Json) -> Json | None:
    customer = as_object(world.store.find(invoice["customer"]))
    settings = as_object(customer.get("invoice_settings"))
    chosen = invoice["default_payment_method"] or settings.get("default_payment_method")
    return world.store.find(chosen)
