"""Payment intents."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.charging import attempt, cancel_intent, new_intent
from tollgate_sandbox.stripe.collecting import settle
from tollgate_sandbox.stripe.currencies import check_charge, known
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.payment_methods import attach, from_card_params, resolve, set_up

_SIMPLE = ("description", "metadata", "receipt_email", "statement_descriptor", "setup_future_usage", "shipping")


def create(call: Call) -> Json:
    """A payment to be made, and made at once if asked."""
    params = call.params
    currency = known(params["currency"])
    check_charge(params["amount"], currency)
    customer = call.referenced("customer", "customer")
    if params.get("capture_method") == "manual":
        raise invalid("The simulator captures at once.", param="capture_method")
    if params.get("off_session") and not params.get("confirm"):
        raise invalid("off_session can only be used with confirm=true.", param="off_session")
    method = _method(call)
    if customer is not None and method is not None and method["customer"] not in {None, customer["id"]}:
        raise invalid("The PaymentMethod does not belong to the Customer you supplied.", param="payment_method")
    automatic = params.get("automatic_payment_methods") or {"enabled": True, "allow_redirects": "always"}
    fields: Json = {"customer": customer["id"] if customer else None, "automatic_payment_methods": automatic}
    intent = new_intent(call.world, params["amount"], currency, fields)
    assign(intent, params, _SIMPLE)
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return _confirm(call, intent) if params.get("confirm") else intent


def _method(call: Call) -> Json | None:
    data = as_object(call.params.get("payment_method_data"))
    if "card" in data:
        return from_card_params(call.world, data["card"], data.get("billing_details"))
    return resolve(call.world, call.params["payment_method"]) if call.params.get("payment_method") else None


def confirm(call: Call) -> Json:
    """Try to be paid."""
    intent = call.named("payment_intent")
    if intent["status"] not in {"requires_payment_method", "requires_confirmation", "requires_action"}:
        raise _unexpected(intent, "confirm")
    method = _method(call)
    if method is not None:
        intent["payment_method"] = method["id"]
    assign(intent, call.params, ("setup_future_usage", "receipt_email"))
    return _confirm(call, intent)


def _confirm(call: Call, intent: Json) -> Json:
    params = call.params
    method = call.store.find(intent["payment_method"])
    if method is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            param="payment_method",
        )
    call.store.hidden[intent["id"]]["return_url"] = params.get("return_url")
    if intent["setup_future_usage"] and intent["customer"] and method["customer"] is None:
        attach(call.world, method, call.store.get("customer", intent["customer"], "customer"))
    outcome = attempt(call.world, intent, method, off_session=bool(params.get("off_session")))
    if outcome.error is not None:
        raise outcome.error
    if outcome.action and params.get("error_on_requires_action"):
        raise StripeError(402, "This payment required an authentication action to complete.", kind="card_error",
                          code="authentication_required")  # fmt: skip
    if outcome.paid:
        if intent["setup_future_usage"] == "off_session":
            set_up(call.world, method)
        settle(call.world, intent)
    return intent


def update(call: Call) -> Json:
    """Change a payment that was not made yet."""
    intent = call.named("payment_intent")
    if intent["status"] in {"succeeded", "canceled"} and set(call.params) - {"metadata", "description", "expand"}:
        raise _unexpected(intent, "update")
    if "amount" in call.params or "currency" in call.params:
        currency = known(call.params.get("currency", intent["currency"]))
        check_charge(call.params.get("amount", intent["amount"]), currency)
        intent |= {"amount": call.params.get("amount", intent["amount"]), "currency": currency}
    method = _method(call)
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    if call.params.get("customer"):
        intent["customer"] = call.store.get("customer", call.params["customer"], "customer")["id"]
    assign(intent, call.params, _SIMPLE)
    return intent


def cancel(call: Call) -> Json:
    """Give it up; those of invoices end with their invoice."""
    intent = call.named("payment_intent")
    if intent["status"] in {"succeeded", "canceled"}:
        raise _unexpected(intent, "cancel")
    if call.store.hidden[intent["id"]]["invoice"]:
        raise invalid("You cannot cancel the PaymentIntent of an invoice; void the invoice instead.")
    cancel_intent(call.world, intent, call.params.get("cancellation_reason", "requested_by_customer"))
    return intent


def _unexpected(intent: Json, verb: str) -> StripeError:
    message = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    return invalid(message, code="payment_intent_unexpected_state")


_ONE = "/v1/payment_intents/{intent}"
OPERATIONS = (
    Operation("POST", "/v1/payment_intents", shapes.PaymentIntentCreateParams, create),
    Operation(
        "GET",
        "/v1/payment_intents",
        shapes.PaymentIntentListParams,
        lambda call: call.listed("payment_intent", "customer"),
    ),
    Operation(
        "GET",
        "/v1/payment_intents/search",
        shapes.PaymentIntentSearchParams,
        lambda call: call.searched("payment_intent"),
    ),
    Operation("GET", _ONE, shapes.PaymentIntentRetrieveParams, lambda call: call.named("payment_intent")),
    Operation("POST", _ONE, shapes.PaymentIntentUpdateParams, update),
    Operation("POST", f"{_ONE}/confirm", shapes.PaymentIntentConfirmParams, confirm),
    Operation("POST", f"{_ONE}/cancel", shapes.PaymentIntentCancelParams, cancel),
)
