"""The test cards that Stripe documents, and what each does when it is saved and when it is charged."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.errors import StripeError


class Asks(Enum):
    """When the card's bank wants to see its owner."""

    NEVER = "never"
    ALWAYS = "always"
    UNLESS_SET_UP = "unless_set_up"


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a bank says no."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    """A test card."""

    number: str
    alias: str
    """The payment method that stands for it, as in pm_card_visa."""
    note: str
    brand: str = "visa"
    decline: Decline | None = None
    saves: bool = True
    """Whether it can be saved to a customer though its charges may fail."""
    asks: Asks = Asks.NEVER
    dispute: str | None = None
    """The reason of the dispute that follows a charge."""


def _no(decline_code: str | None, code: str = "card_declined", message: str = "Your card was declined.") -> Decline:
    return Decline(code, decline_code, message)


_FUNDS = _no("insufficient_funds", message="Your card has insufficient funds.")
CARDS = (
    Card("4242424242424242", "pm_card_visa", "succeeds"),
    Card("5555555555554444", "pm_card_mastercard", "succeeds", "mastercard"),
    Card("378282246310005", "pm_card_amex", "succeeds", "amex"),
    Card("4000056655665556", "pm_card_visa_debit", "succeeds"),
    Card("4000002760000016", "pm_card_de", "succeeds"),
    Card("4000000000000077", "pm_card_bypassPending", "succeeds"),
    Card("4000000000000341", "pm_card_chargeCustomerFail", "saves, then fails", decline=_no("generic_decline")),
    Card("4000000000000002", "pm_card_chargeDeclined", "declined", decline=_no("generic_decline"), saves=False),
    Card("4000000000009995", "pm_card_chargeDeclinedInsufficientFunds", "no funds", decline=_FUNDS, saves=False),
    Card(
        "4000000000009987", "pm_card_chargeDeclinedLostCard", "lost card", decline=_no("lost_card"), saves=False
    ),
    Card(
        "4000000000009979", "pm_card_chargeDeclinedStolenCard", "stolen card", decline=_no("stolen_card"), saves=False
    ),
    Card(
        "4000000000000069",
        "pm_card_chargeDeclinedExpiredCard",
        "expired card",
        decline=_no(None, "expired_card", "Your card has expired."),
        saves=False,
    ),
    Card(
        "4000000000000127",
        "pm_card_chargeDeclinedIncorrectCvc",
        "wrong CVC",
        decline=_no(None, "incorrect_cvc", "Your card's security code is incorrect."),
        saves=False,
    ),
    Card(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        "processing error",
        decline=_no(None, "processing_error", "An error occurred while processing your card."),
        saves=False,
    ),
    Card(
        "4000002500003155",
        "pm_card_authenticationRequiredOnSetup",
        "3D Secure unless saved with it before",
        asks=Asks.UNLESS_SET_UP,
    ),
    Card("4000002760003184", "pm_card_authenticationRequired", "3D Secure every time", asks=Asks.ALWAYS),
    Card("4000003800000446", "pm_card_authenticationRequiredSetupForOffSession", "saved for use off session"),
    Card(
        "4000008260003178",
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "3D Secure, then insufficient funds",
        decline=_FUNDS,
        asks=Asks.ALWAYS,
    ),
    Card("4000000000000259", "pm_card_createDispute", "disputed as fraudulent", dispute="fraudulent"),
    Card(
        "4000000000002685", "pm_card_createDisputeProductNotReceived", "disputed as not received",
        dispute="product_not_received",
    ),
)  # fmt: skip
BY_NUMBER = {card.number: card for card in CARDS}
BY_ALIAS = {card.alias: card for card in CARDS}
TOKENS = {"tok" + card.alias.removeprefix("pm_card").replace("_card", ""): card for card in CARDS}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a bank says to one attempt."""

    approved: bool
    decline: Decline | None = None
    authenticate: bool = False


def charge_verdict(card: Card, *, set_up: bool, authenticated: bool) -> Verdict:
    """For a charge; `set_up` means the card was saved with its owner's authentication."""
    if not authenticated and (card.asks is Asks.ALWAYS or (card.asks is Asks.UNLESS_SET_UP and not set_up)):
        return Verdict(approved=False, authenticate=True)
    return Verdict(approved=card.decline is None, decline=card.decline)


def saving_verdict(card: Card, *, authenticated: bool) -> Verdict:
    """For saving a card."""
    if card.decline is not None and not card.saves:
        return Verdict(approved=False, decline=card.decline)
    if card.asks is not Asks.NEVER and not authenticated:
        return Verdict(approved=False, authenticate=True)
    return Verdict(approved=True)


def card_error(decline: Decline, **more: Any) -> StripeError:
    """The error a client sees."""
    return StripeError(
        402, decline.message, kind="card_error", code=decline.code, decline_code=decline.decline_code, **more
    )


def details(card: Card, exp_month: int, exp_year: int) -> Json:
    """The `card` part of a payment method."""
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "DE" if card.alias == "pm_card_de" else "US",
        "display_brand": card.brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": f"test{card.number[-12:]}",
        "funding": "debit" if "debit" in card.alias else "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
