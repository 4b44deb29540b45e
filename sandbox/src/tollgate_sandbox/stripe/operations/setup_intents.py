"""Setup intents: saving a card for later."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.payment_methods import from_card_params, resolve
from tollgate_sandbox.stripe.setting_up import attempt_setup, new_setup


def create(call: Call) -> Json:
    """An intention to save a card, carried out at once if asked."""
    customer = call.referenced("customer", "customer")
    method = _method(call)
    intent = new_setup(call.world, customer, usage=call.params.get("usage", "off_session"))
    assign(intent, call.params, ("description", "metadata"))
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return _confirm(call, intent) if call.params.get("confirm") else intent


def _method(call: Call) -> Json | None:
    data = as_object(call.params.get("payment_method_data"))
    if "card" in data:
        return from_card_params(call.world, data["card"], data.get("billing_details"))
    return resolve(call.world, call.params["payment_method"]) if call.params.get("payment_method") else None


def confirm(call: Call) -> Json:
    """Save it."""
    intent = call.named("setup_intent")
    method = _method(call)
    if method is not None:
        intent["payment_method"] = method["id"]
    return _confirm(call, intent)


def _confirm(call: Call, intent: Json) -> Json:
    if intent["status"] in {"succeeded", "canceled"}:
        message = f"You cannot confirm this SetupIntent because it has a status of {intent['status']}."
        raise invalid(message, code="setup_intent_unexpected_state")
    method = call.store.find(intent["payment_method"])
    if method is None:
        raise invalid("You cannot confirm this SetupIntent because it's missing a payment method.",
                      code="setup_intent_unexpected_state", param="payment_method")  # fmt: skip
    call.store.hidden[intent["id"]]["return_url"] = call.params.get("return_url")
    error = attempt_setup(call.world, intent, method)
    if error is not None:
        raise error
    return intent


def update(call: Call) -> Json:
    """Change what is not settled yet."""
    intent = call.named("setup_intent")
    assign(intent, call.params, ("description", "metadata"))
    return intent


def cancel(call: Call) -> Json:
    """Give it up."""
    intent = call.named("setup_intent")
    if intent["status"] in {"succeeded", "canceled"}:
        message = f"You cannot cancel this SetupIntent because it has a status of {intent['status']}."
        raise invalid(message, code="setup_intent_unexpected_state")
    intent |= {"status": "canceled", "cancellation_reason": call.params.get("cancellation_reason"), "next_action": None}
    call.world.emit("setup_intent.canceled", intent)
    return intent


_ONE = "/v1/setup_intents/{intent}"
OPERATIONS = (
    Operation("POST", "/v1/setup_intents", shapes.SetupIntentCreateParams, create),
    Operation(
        "GET",
        "/v1/setup_intents",
        shapes.SetupIntentListParams,
        lambda call: call.listed("setup_intent", "customer", "payment_method"),
    ),
    Operation("GET", _ONE, shapes.SetupIntentRetrieveParams, lambda call: call.named("setup_intent")),
    Operation("POST", _ONE, shapes.SetupIntentUpdateParams, update),
    Operation("POST", f"{_ONE}/confirm", shapes.SetupIntentConfirmParams, confirm),
    Operation("POST", f"{_ONE}/cancel", shapes.SetupIntentCancelParams, cancel),
)
