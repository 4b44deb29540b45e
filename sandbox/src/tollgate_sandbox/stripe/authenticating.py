"""The bank's page: the owner of a card agrees to what is waiting, or does not."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.charging import attempt
from tollgate_sandbox.stripe.checkouts import submit
from tollgate_sandbox.stripe.collecting import settle
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.setting_up import attempt_setup
from tollgate_sandbox.stripe.world import World


def session_of(world: World, intent: Json) -> Json | None:
    """The open checkout session that waits for this."""
    for session in world.store.all("checkout.session", lambda session: session["status"] == "open"):
        if intent["id"] in {session["payment_intent"], session["setup_intent"]}:
            return session
    return None


def agree(world: World, intent: Json) -> StripeError | None:
    """The owner agreed: what waited is done, unless the bank declines after all."""
    method = world.store.find(intent["payment_method"])
    if intent["status"] != "requires_action" or method is None:
        return invalid(f"Nothing waits for authentication: this is {intent['status']}.")
    session = session_of(world, intent)
    if session is not None:
        return submit(world, session, method, authenticated=True)
    if intent["object"] == "setup_intent":
        return attempt_setup(world, intent, method, authenticated=True)
    outcome = attempt(world, intent, method, authenticated=True)
    if outcome.paid:
        settle(world, intent)
    return outcome.error


def disagree(world: World, intent: Json) -> None:
    """The owner did not agree."""
    kind = intent["object"]
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    error = {"code": f"{kind}_authentication_failure", "message": message, "type": "invalid_request_error"}
    intent |= {"next_action": None, "payment_method": None, "status": "requires_payment_method"}
    if kind == "setup_intent":
        intent["last_setup_error"] = error
        world.emit("setup_intent.setup_failed", intent)
    else:
        intent["last_payment_error"] = error
        world.emit("payment_intent.payment_failed", intent)
        invoice = world.store.find(world.store.hidden[intent["id"]]["invoice"])
        if invoice is not None:
            world.emit("invoice.payment_failed", invoice)
