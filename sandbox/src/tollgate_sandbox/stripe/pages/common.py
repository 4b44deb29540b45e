"""What the pages share."""

from collections.abc import Mapping
from typing import Any

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments import card_form as cards
from tollgate_sandbox.payments.html import Html, table
from tollgate_sandbox.stripe.cards import CARDS
from tollgate_sandbox.stripe.currencies import written
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.payment_methods import by_number, make
from tollgate_sandbox.stripe.world import World


def money(thing: Json, name: str) -> str:
    """An amount of an object for people."""
    return written(thing[name] or 0, thing["currency"])


def card_form(action: str, label: str, *, email: bool = False, given: Mapping[str, str] | None = None) -> Html:
    """Where somebody enters a card, and which test cards there are."""
    return cards.card_form(action, label, [(card.number, card.note) for card in CARDS], email=email, given=given)


def entered_card(world: World, form: Mapping[str, str]) -> Json:
    """A payment method from a posted card form; raises StripeError."""
    card = by_number(form.get("number", ""))
    try:
        entered = cards.read_card(form, world.now())
    except cards.CardError as wrong:
        raise StripeError(402, str(wrong), kind="card_error", code=wrong.code) from wrong
    billing: dict[str, Any] = {"email": form.get("email"), "name": form.get("name")}
    if entered.country:
        billing["address"] = {"country": entered.country}
    return make(world, card, month=entered.month, year=entered.year, billing=billing)


def lines_table(lines: list[Json]) -> Html:
    """An invoice's lines."""
    rows = [
        [line["description"] or "–", line["quantity_decimal"], money(line, "amount"), _taxes(line)] for line in lines
    ]
    return table(["Description", "Quantity", "Amount", "Tax"], rows, "No lines.")


def _taxes(line: Json) -> str:
    return written(sum(tax["amount"] for tax in line["taxes"]), line["currency"])
