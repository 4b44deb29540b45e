"""What the pages share."""

from collections.abc import Mapping

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.cards import CARDS
from tollgate_sandbox.paddle.errors import PaddleError
from tollgate_sandbox.paddle.money import written
from tollgate_sandbox.paddle.times import seconds_of
from tollgate_sandbox.payments import card_form as cards
from tollgate_sandbox.payments import pages
from tollgate_sandbox.payments.html import Child, Html, table


def total(transaction: Json, name: str = "grand_total") -> str:
    """A sum of a transaction for people."""
    return written(transaction["details"]["totals"][name] or 0, transaction["currency_code"])


def when(text: str | None) -> str:
    """A time for people."""
    return pages.when(seconds_of(text)) if text else "–"


def told(error: Exception) -> str:
    """An error for people: what is wrong with which field, where that is known."""
    if isinstance(error, PaddleError) and error.errors:
        return " ".join(message for _, message in error.errors)
    return str(error)


def card_form(
    action: str, label: str, *, email: bool = False, given: Mapping[str, str] | None = None, more: Child = None
) -> Html:
    """Where somebody enters a card, and which test cards there are."""
    known = [(card.number, card.note) for card in CARDS]
    return cards.card_form(action, label, known, email=email, given=given, more=more)


def card_of(payment: Json) -> str:
    """A card for people."""
    card = payment["method_details"]["card"] if "method_details" in payment else payment["card"]
    return f"{card['type']} …{card['last4']}"


def lines_table(transaction: Json) -> Html:
    """A transaction's lines."""
    currency: str = transaction["currency_code"]
    rows = [
        [
            line["id"],
            item["price"]["description"],
            line["quantity"],
            written(line["totals"]["subtotal"], currency),
            written(line["totals"]["tax"], currency),
            written(line["totals"]["total"], currency),
        ]
        for line, item in zip(transaction["details"]["line_items"], transaction["items"], strict=True)
    ]
    return table(["Id", "Description", "Quantity", "Amount", "Tax", "Total"], rows, "No lines.")


def bought_table(transaction: Json) -> Html:
    """The same for customers."""
    rows = [
        [item["price"]["description"], item["quantity"], written(line["totals"]["total"], transaction["currency_code"])]
        for line, item in zip(transaction["details"]["line_items"], transaction["items"], strict=True)
    ]
    return table(["Item", "Quantity", "Amount"], rows)
