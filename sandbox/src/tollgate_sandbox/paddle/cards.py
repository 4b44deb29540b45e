"""Test cards, and what a bank says to each."""

from dataclasses import dataclass

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.errors import bad_request


@dataclass(frozen=True, slots=True)
class Card:
    """A card that behaves in one way."""

    number: str
    type: str
    note: str
    first: str | None = None
    """Why it is declined while its owner is there."""
    later: str | None = None
    """Why it is declined when it was saved and is charged without its owner."""
    asks: bool = False
    """Whether its bank asks the owner first."""


CARDS = (
    Card("4242424242424242", "visa", "succeeds"),
    Card("4000056655665556", "visa", "succeeds"),
    Card("5555555555554444", "mastercard", "succeeds"),
    Card("378282246310005", "american_express", "succeeds"),
    Card("4000003800000446", "visa", "asks its owner (3D Secure), then succeeds", asks=True),
    Card("4000002760003184", "visa", "succeeds at the checkout, is declined later", later="declined"),
    Card("4000000000000002", "visa", "declined", first="declined", later="declined"),
    Card("4000000000009995", "visa", "no funds", first="not_enough_balance", later="not_enough_balance"),
    Card("4000000000000069", "visa", "expired", first="expired_card", later="expired_card"),
    Card("4000000000000341", "visa", "succeeds at the checkout, has no funds later", later="not_enough_balance"),
)
BY_NUMBER = {card.number: card for card in CARDS}
_SENTENCES = {
    "declined": "Your card was declined.",
    "not_enough_balance": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "authentication_failed": "Your bank could not confirm that it is you.",
}


def by_number(number: str) -> Card:
    """A test card; raises PaddleError."""
    found = BY_NUMBER.get(number)
    if found is None:
        raise bad_request(("number", "The simulator takes only test cards."))
    return found


def verdict(method: Json, *, owner_present: bool) -> str | None:
    """Why a saved or entered card is declined, or None."""
    card = BY_NUMBER[method["number"]]
    return card.first if owner_present else card.later


def explained(code: str) -> str:
    """A decline for people."""
    return _SENTENCES.get(code, "Your payment did not go through.")
