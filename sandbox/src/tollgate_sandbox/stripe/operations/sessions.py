"""Checkout and billing portal sessions."""

from stripe.params import billing_portal as portal_shapes
from stripe.params import checkout as shapes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.checkouts import default_currency, expire, line_items
from tollgate_sandbox.stripe.currencies import check_charge
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.listing import page
from tollgate_sandbox.stripe.setting_up import new_setup

HALF_HOUR, DAY = 1800, 24 * 3600


def create(call: Call) -> Json:
    """A page to send somebody to."""
    params = call.params
    mode = _checked_mode(params)
    customer = call.referenced("customer", "customer")
    items = line_items(call.world, params.get("line_items") or [])
    currency = default_currency(items, params.get("currency"))
    if mode == "setup" and currency is None and "allowed_payment_method_types" not in params:
        raise invalid("Missing required param: currency.", code="parameter_missing", param="currency")
    total = sum(item["amount_total"] for item in items) if items else None
    if mode == "payment" and total is not None and currency is not None:
        check_charge(total, currency)
    now = call.world.now()
    expires = params.get("expires_at", now + DAY)
    if not now + HALF_HOUR <= expires <= now + DAY:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at"
        )
    hidden: Json = {
        "line_items": items,
        "payment_intent_data": as_object(params.get("payment_intent_data")),
        "subscription_data": as_object(params.get("subscription_data")),
    }
    session = call.world.new(
        "checkout.session", "cs_test", _fields(call, mode, total, currency, expires), hidden=hidden
    )
    session["customer"] = customer["id"] if customer else None
    assign(
        session, params, ("cancel_url", "client_reference_id", "customer_email", "locale", "metadata", "success_url")
    )
    session["url"] = f"{call.world.base_url}/c/pay/{session['id']}"
    if mode == "setup":
        session["setup_intent"] = _setup(call, customer)["id"]
    return session


def _checked_mode(params: Json) -> str:
    mode: str = params.get("mode", "payment")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise invalid("The simulator has only hosted pages.", param="ui_mode")
    if not params.get("success_url"):
        raise invalid("Missing required param: success_url.", code="parameter_missing", param="success_url")
    if (mode == "setup") == bool(params.get("line_items")):
        verb = "You can not pass `line_items` in" if mode == "setup" else "`line_items` is required in"
        raise invalid(f"{verb} {mode} mode.", code=None if mode == "setup" else "parameter_missing", param="line_items")
    return mode


def _setup(call: Call, customer: Json | None) -> Json:
    data = as_object(call.params.get("setup_intent_data"))
    intent = new_setup(call.world, customer)
    assign(intent, data, ("description", "metadata"))
    return intent


def _fields(call: Call, mode: str, total: int | None, currency: str | None, expires: int) -> Json:
    return {
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "currency": currency,
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "customer_creation": call.params.get("customer_creation", "if_required") if mode == "payment" else None,
        "expires_at": expires,
        "mode": mode,
        "payment_method_types": call.params.get("allowed_payment_method_types") or ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
    }


def expire_now(call: Call) -> Json:
    """Close the page."""
    session = call.named("checkout.session")
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.'
        )
    expire(call.world, session)
    return session


def items_of(call: Call) -> Json:
    """What is bought."""
    session = call.named("checkout.session")
    return page(call.store.hidden[session["id"]]["line_items"], call.params, call.path)


def list_(call: Call) -> Json:
    """Sessions, newest first."""
    return call.listed("checkout.session", "customer", "payment_intent", "status", "subscription")


def create_portal(call: Call) -> Json:
    """A page on which a customer looks after invoices and cards."""
    customer = call.store.get("customer", call.params["customer"], "customer")
    fields: Json = {
        "configuration": "bpc_simulated",
        "customer": customer["id"],
        "return_url": call.params.get("return_url"),
        "url": "",
    }
    session = call.world.new("billing_portal.session", "bps", fields)
    session["url"] = f"{call.world.base_url}/p/session/{session['id']}"
    call.world.emit("billing_portal.session.created", session)
    return session


_ONE = "/v1/checkout/sessions/{session}"
OPERATIONS = (
    Operation("POST", "/v1/checkout/sessions", shapes.SessionCreateParams, create),
    Operation("GET", "/v1/checkout/sessions", shapes.SessionListParams, list_),
    Operation("GET", _ONE, shapes.SessionRetrieveParams, lambda call: call.named("checkout.session")),
    Operation("POST", f"{_ONE}/expire", shapes.SessionExpireParams, expire_now),
    Operation("GET", f"{_ONE}/line_items", shapes.SessionLineItemListParams, items_of),
    Operation("POST", "/v1/billing_portal/sessions", portal_shapes.SessionCreateParams, create_portal),
)
