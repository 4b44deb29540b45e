"""Checkout sessions: a page on which somebody enters a card, to save it, to pay once or to subscribe."""

from decimal import Decimal

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import assign, merged
from tollgate_sandbox.stripe.charging import attempt, new_intent
from tollgate_sandbox.stripe.clientele import new_customer
from tollgate_sandbox.stripe.currencies import known, rounded
from tollgate_sandbox.stripe.debiting import promise
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.invoicing import void
from tollgate_sandbox.stripe.payment_methods import attach, set_up
from tollgate_sandbox.stripe.pricing import new_price
from tollgate_sandbox.stripe.setting_up import attempt_setup
from tollgate_sandbox.stripe.shapes import new_id
from tollgate_sandbox.stripe.starting import first_invoice, start
from tollgate_sandbox.stripe.subscribing import end_subscription
from tollgate_sandbox.stripe.world import World


def line_items(world: World, given: list[Json]) -> list[Json]:
    """What is bought; prices given inline are made."""
    items: list[Json] = []
    for item in given:
        if "price" in item:
            price = world.store.get("price", item["price"], "line_items[0][price]")
        elif "price_data" in item:
            price = new_price(world, item["price_data"])
        else:
            raise invalid(
                "Missing required param: line_items[0][price].", code="parameter_missing", param="line_items[0][price]"
            )
        quantity: int = item.get("quantity", 1)
        amount = rounded(Decimal(price["unit_amount_decimal"]) * quantity, price["currency"])
        product = as_object(world.store.find(price["product"]))
        items.append(
            {
                "id": new_id("li"),
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": amount,
                "amount_tax": 0,
                "amount_total": amount,
                "currency": price["currency"],
                "description": product.get("name"),
                "price": dict(price),
                "quantity": quantity,
            }
        )
    if len({item["currency"] for item in items}) > 1:
        raise invalid("All prices of a session must have the same currency.", param="line_items")
    return items


def needs_owner(world: World, session: Json) -> bool:
    """Whether the bank asked for authentication and waits for it."""
    pending = world.store.find(session["payment_intent"] or session["setup_intent"])
    return pending is not None and pending["status"] == "requires_action"


def submit(world: World, session: Json, method: Json, *, authenticated: bool = False) -> StripeError | None:
    """A card was entered: complete the session, or say why not. A bank that asks for its owner leaves it open."""
    if session["status"] != "open":
        return invalid(f"This session is {session['status']}.")
    customer = _customer(world, session, method)
    if session["mode"] == "setup":
        error = _save(world, session, method, customer, authenticated)
    elif session["mode"] == "payment":
        error = _pay(world, session, method, customer, authenticated)
    else:
        error = _subscribe(world, session, method, customer)
    if error is None and not needs_owner(world, session):
        _complete(world, session, customer, method)
    return error


def _customer(world: World, session: Json, method: Json) -> Json | None:
    customer = world.store.find(session["customer"])
    wanted = session["customer_creation"] == "always" or session["mode"] == "subscription"
    if customer is None and wanted:
        billing = method["billing_details"]
        email = session["customer_email"] or billing["email"]
        customer = new_customer(world, {"email": email, "name": billing["name"]})
        session["customer"] = customer["id"]
        world.emit("customer.created", customer)
    return customer


def _save(world: World, session: Json, method: Json, customer: Json | None, authenticated: bool) -> StripeError | None:
    intent = world.store.get("setup_intent", session["setup_intent"], "setup_intent")
    intent["customer"] = customer["id"] if customer else None
    return attempt_setup(world, intent, method, authenticated=authenticated)


def submit_debit(world: World, session: Json, method: Json) -> StripeError | None:
    """An IBAN was entered: the session is complete, the money still on its way."""
    if (
        session["status"] != "open"
        or "sepa_debit" not in session["payment_method_types"]
        or session["mode"] != "payment"
    ):
        return invalid("This session takes no bank debits.")
    customer = _customer(world, session, method)
    promise(world, _intent_of(world, session, customer), method)
    _complete(world, session, customer, method)
    return None


def _pay(world: World, session: Json, method: Json, customer: Json | None, authenticated: bool) -> StripeError | None:
    intent = _intent_of(world, session, customer)
    outcome = attempt(world, intent, method, authenticated=authenticated)
    if outcome.paid and intent["setup_future_usage"] and customer is not None:
        attach(world, method, customer)
        set_up(world, method)
    return outcome.error


def _intent_of(world: World, session: Json, customer: Json | None) -> Json:
    data = world.store.hidden[session["id"]]["payment_intent_data"]
    intent = world.store.find(session["payment_intent"])
    if intent is None:
        fields: Json = {"customer": customer["id"] if customer else None}
        intent = new_intent(world, session["amount_total"], session["currency"], fields)
        assign(intent, data, ("description", "receipt_email", "setup_future_usage", "statement_descriptor"))
        intent["metadata"] = merged({}, data.get("metadata") or "")
        session["payment_intent"] = intent["id"]
    return intent


def _subscribe(world: World, session: Json, method: Json, customer: Json | None) -> StripeError | None:
    """The first invoice is charged with the owner present."""
    if customer is None:
        return invalid("A subscription needs a customer.")
    try:
        attach(world, method, customer)
    except StripeError as error:
        return error
    set_up(world, method)
    hidden = world.store.hidden[session["id"]]
    prices = [
        (world.store.get("price", item["price"]["id"], "price"), item["quantity"]) for item in hidden["line_items"]
    ]
    subscription = start(world, customer, prices)
    subscription["metadata"] = merged({}, hidden["subscription_data"].get("metadata") or "")
    subscription["default_payment_method"] = method["id"]
    invoice, failure = first_invoice(world, subscription, customer, owner_present=True)
    if failure is not None:
        void(world, invoice)
        end_subscription(world, subscription)
        return failure
    session |= {"subscription": subscription["id"], "invoice": invoice["id"]}
    return None


def _complete(world: World, session: Json, customer: Json | None, method: Json) -> None:
    billing = method["billing_details"]
    session |= {
        "customer_details": {
            "address": billing["address"],
            "business_name": None,
            "email": as_object(customer).get("email") or session["customer_email"] or billing["email"],
            "individual_name": None,
            "name": billing["name"],
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        "payment_status": _payment_status(session, method),
        "status": "complete",
        "url": None,
    }
    world.emit("checkout.session.completed", session)


def _payment_status(session: Json, method: Json) -> str:
    if session["mode"] == "setup":
        return "no_payment_required"
    return "paid" if method["type"] == "card" else "unpaid"


def expire(world: World, session: Json) -> None:
    """Its time is over."""
    session |= {"status": "expired", "url": None}
    world.emit("checkout.session.expired", session)


def default_currency(items: list[Json], given: str | None) -> str | None:
    """The currency of what is bought, or the one named for saving a card."""
    return items[0]["currency"] if items else known(given) if given else None
