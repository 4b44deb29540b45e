"""Saving a card with its owner's agreement to later charges."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.cards import card_error, saving_verdict
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.payment_methods import attach, card_of, set_up
from tollgate_sandbox.stripe.rendering import render
from tollgate_sandbox.stripe.shapes import new_id
from tollgate_sandbox.stripe.world import World


def new_setup(world: World, customer: Json | None, usage: str = "off_session") -> Json:
    """An intention to save a card."""
    fields: Json = {
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "customer": customer["id"] if customer else None,
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        "usage": usage,
    }
    intent = world.new("setup_intent", "seti", fields, hidden={})
    intent["client_secret"] = f"{intent['id']}_secret_{new_id('x', 20)[2:]}"
    world.emit("setup_intent.created", intent)
    return intent


def attempt_setup(world: World, intent: Json, method: Json, *, authenticated: bool = False) -> StripeError | None:
    """Save the card; the error, if the bank declined."""
    intent |= {"payment_method": method["id"], "next_action": None}
    verdict = saving_verdict(card_of(world, method), authenticated=authenticated)
    if verdict.authenticate:
        url = f"{world.base_url}/authenticate/{intent['id']}"
        back = world.store.hidden[intent["id"]].get("return_url")
        intent |= {
            "next_action": {"type": "redirect_to_url", "redirect_to_url": {"return_url": back, "url": url}},
            "status": "requires_action",
        }
        world.emit("setup_intent.requires_action", intent)
        return None
    if verdict.decline is not None:
        error = card_error(verdict.decline, payment_method=render(world.store, method))
        intent |= {
            "last_setup_error": error.body()["error"],
            "payment_method": None,
            "status": "requires_payment_method",
        }
        world.emit("setup_intent.setup_failed", intent)
        error.more["setup_intent"] = render(world.store, intent)
        return error
    customer = world.store.find(intent["customer"])
    if customer is not None:
        attach(world, method, customer)
        if world.store.hidden[intent["id"]].get("make_default"):
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            world.emit("customer.updated", customer)
    set_up(world, method)
    intent |= {"last_setup_error": None, "status": "succeeded"}
    world.emit("setup_intent.succeeded", intent)
    return None
