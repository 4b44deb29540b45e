"""Cards on file: the test cards as payment methods, and saving them to customers."""

from typing import Any

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import address
from tollgate_sandbox.stripe.cards import BY_ALIAS, BY_NUMBER, TOKENS, Card, card_error, details, saving_verdict
from tollgate_sandbox.stripe.errors import StripeError, invalid
from tollgate_sandbox.stripe.world import World


def make(world: World, card: Card, *, month: int = 12, year: int = 2040, billing: Any = None) -> Json:
    """A payment method of a card."""
    hidden: Json = {"number": card.number, "set_up": card.alias.endswith("OffSession")}
    return new_method(world, "card", details(card, month, year), billing, hidden)


def new_method(world: World, kind: str, shown: Json, billing: Any, hidden: Json) -> Json:
    """A payment method of any kind that belongs to nobody yet."""
    billing = as_object(billing)
    fields: Json = {
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": address(billing.get("address")) or address({"country": None}),
            "email": billing.get("email") or None,
            "name": billing.get("name") or None,
            "phone": billing.get("phone") or None,
            "tax_id": None,
        },
        kind: shown,
        "customer": None,
        "type": kind,
    }
    return world.new("payment_method", "pm", fields, hidden=hidden)


def by_number(number: str) -> Card:
    """The test card with that number; real ones are refused, as their owners would wish."""
    digits = number.replace(" ", "").replace("-", "")
    if digits not in BY_NUMBER:
        message = "Your card number is incorrect. The simulator knows only test cards."
        raise StripeError(402, message, kind="card_error", code="incorrect_number", param="number")
    return BY_NUMBER[digits]


def from_card_params(world: World, card: Json, billing: Any = None) -> Json:
    """A payment method from the `card` parameter: a token or a number."""
    if "token" in card:
        if card["token"] not in TOKENS:
            raise invalid(f"No such token: '{card['token']}'", code="resource_missing", param="card[token]")
        return make(world, TOKENS[card["token"]], billing=billing)
    if not {"number", "exp_month", "exp_year"} <= set(card):
        raise invalid("Missing required param: card[number].", code="parameter_missing", param="card[number]")
    return make(world, by_number(card["number"]), month=card["exp_month"], year=card["exp_year"], billing=billing)


def resolve(world: World, id_: str, param: str = "payment_method") -> Json:
    """The payment method of that id; a name such as pm_card_visa makes a fresh one."""
    if id_ in BY_ALIAS:
        return make(world, BY_ALIAS[id_])
    return world.store.get("payment_method", id_, param)


def card_of(world: World, method: Json) -> Card:
    """The test card behind a payment method."""
    number = world.store.hidden[method["id"]].get("number")
    if number is None:
        raise invalid("The simulator takes bank debits only on the checkout page.", param="payment_method")
    return BY_NUMBER[number]


def attach(world: World, method: Json, customer: Json) -> None:
    """Save a card to a customer; raises StripeError where the bank declines."""
    if method["customer"] not in {None, customer["id"]}:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    verdict = saving_verdict(card_of(world, method), authenticated=True)
    if verdict.decline is not None:
        raise card_error(verdict.decline)
    if method["customer"] is None:
        method["customer"] = customer["id"]
        world.emit("payment_method.attached", method)


def set_up(world: World, method: Json) -> None:
    """Note that the owner agreed to charges without being asked."""
    world.store.hidden[method["id"]]["set_up"] = True


def detach(world: World, method: Json) -> None:
    """Take a card off its customer, for good; it stops being anyone's default."""
    if method["customer"] is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise invalid(message, code="payment_method_unexpected_state")
    owner = world.store.find(method["customer"])
    method["customer"] = None
    world.store.hidden[method["id"]]["detached"] = True
    if owner is not None and owner["invoice_settings"]["default_payment_method"] == method["id"]:
        owner["invoice_settings"]["default_payment_method"] = None
        world.emit("customer.updated", owner)
    world.emit("payment_method.detached", method)
