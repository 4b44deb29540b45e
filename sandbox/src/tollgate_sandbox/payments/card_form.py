"""The form in which a customer enters a card, and what was entered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tollgate_sandbox.payments.html import Child, Html, field, joined, table, tag


class CardError(ValueError):
    """A card that cannot be a card."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Entered:
    """A card as it was typed."""

    number: str
    month: int
    year: int
    name: str
    email: str
    country: str


def card_form(
    action: str,
    label: str,
    known: Iterable[tuple[str, str]],
    *,
    email: bool = False,
    given: Mapping[str, str] | None = None,
    more: Child = None,
) -> Html:
    """Where somebody enters a card, and which test cards there are."""
    given = given or {}
    fields = [
        field("Email", "email", given.get("email", ""), type_="email") if email else None,
        field(
            "Card number", "number", given.get("number", ""), inputmode="numeric", required="", autocomplete="cc-number"
        ),
        field("Expiry (MM / YY)", "expiry", given.get("expiry", ""), required="", placeholder="12 / 40"),
        field("CVC", "cvc", "", required="", inputmode="numeric", placeholder="123"),
        field("Name on card", "name", given.get("name", ""), required=""),
        field("Country (two letters)", "country", given.get("country", ""), maxlength="2", placeholder="DE"),
        more,
    ]
    cards = table(["Test card", "What happens"], [[tag("code", number), note] for number, note in known])
    return joined(
        [
            tag("form", *fields, tag("button", label, class_="main"), method="post", action=action),
            tag("details", tag("summary", "Test cards"), cards),
        ]
    )


def read_card(form: Mapping[str, str], now: int) -> Entered:
    """What was entered; raises CardError."""
    month, year = _expiry(form.get("expiry", ""))
    today = datetime.fromtimestamp(now, UTC)
    if (year, month) < (today.year, today.month):
        raise CardError("Your card's expiration date is in the past.", "invalid_expiry_year")
    cvc = form.get("cvc", "")
    if not (cvc.isdigit() and len(cvc) in {3, 4}):
        raise CardError("Your card's security code is invalid.", "invalid_cvc")
    number = form.get("number", "").replace(" ", "").replace("-", "")
    return Entered(
        number, month, year, form.get("name", ""), form.get("email", ""), form.get("country", "").strip().upper()
    )


def _expiry(text: str) -> tuple[int, int]:
    month, _, year = text.replace(" ", "").partition("/")
    if not (month.isdigit() and year.isdigit() and 1 <= int(month) <= 12 and len(year) in {2, 4}):
        raise CardError("Write the expiry as MM / YY.", "invalid_expiry_month")
    return int(month), int(year) + (2000 if len(year) == 2 else 0)
