"""What the pages share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.html import Child, Html, field, joined, link, page, table, tag
from tollgate_sandbox.stripe.cards import CARDS
from tollgate_sandbox.stripe.currencies import written
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.payment_methods import by_number, make
from tollgate_sandbox.stripe.world import World

CSS = "/assets/style.css"


def money(thing: Json, name: str) -> str:
    """An amount of an object for people."""
    return written(thing[name] or 0, thing["currency"])


def when(seconds: int | None) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else "–"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a posted form."""
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def narrow(title: str, *body: Child, status: int = 200) -> Response:
    """A page for a customer."""
    note = "Simulated: no money moves here."
    return HTMLResponse(page(title, CSS, *body, kind="narrow", refresh_note=note), status)


def away(url: str) -> Response:
    """On to another page after a form."""
    return RedirectResponse(url, 303)


def not_found(what: str) -> Response:
    """Nothing there."""
    return narrow("Not found", tag("h1", "Not found"), tag("p", f"There is no such {what}."), status=404)


def problem(error: StripeError | str | None) -> Html | None:
    """An error above a form."""
    text = error.message if isinstance(error, StripeError) else error
    return tag("p", text, class_="error", role="alert") if text else None


def card_form(action: str, label: str, *, email: bool = False, given: Mapping[str, str] | None = None) -> Html:
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
    ]
    known = table(["Test card", "What happens"], [[tag("code", card.number), card.note] for card in CARDS])
    return joined(
        [
            tag("form", *fields, tag("button", label, class_="main"), method="post", action=action),
            tag("details", tag("summary", "Test cards"), known),
        ]
    )


def entered_card(world: World, form: Mapping[str, str]) -> Json:
    """A payment method from a posted card form; raises StripeError."""
    card = by_number(form.get("number", ""))
    month, year = _expiry(form.get("expiry", ""))
    today = datetime.fromtimestamp(world.now(), UTC)
    if (year, month) < (today.year, today.month):
        raise StripeError(
            402, "Your card's expiration date is in the past.", kind="card_error", code="invalid_expiry_year"
        )
    cvc = form.get("cvc", "")
    if not (cvc.isdigit() and len(cvc) in {3, 4}):
        raise StripeError(402, "Your card's security code is invalid.", kind="card_error", code="invalid_cvc")
    billing: dict[str, Any] = {"email": form.get("email"), "name": form.get("name")}
    if form.get("country"):
        billing["address"] = {"country": form["country"].upper()}
    return make(world, card, month=month, year=year, billing=billing)


def _expiry(text: str) -> tuple[int, int]:
    month, _, year = text.replace(" ", "").partition("/")
    if not (month.isdigit() and year.isdigit() and 1 <= int(month) <= 12 and len(year) in {2, 4}):
        raise StripeError(402, "Write the expiry as MM / YY.", kind="card_error", code="invalid_expiry_month")
    return int(month), int(year) + (2000 if len(year) == 2 else 0)


def lines_table(lines: list[Json]) -> Html:
    """An invoice's lines."""
    rows = [
        [line["description"] or "–", line["quantity_decimal"], money(line, "amount"), _taxes(line)] for line in lines
    ]
    return table(["Description", "Quantity", "Amount", "Tax"], rows, "No lines.")


def _taxes(line: Json) -> str:
    return written(sum(tax["amount"] for tax in line["taxes"]), line["currency"])


def to(kind: str, id_: str | None, text: Child = None) -> Child:
    """A link to a detail page of the dashboard."""
    return link(text or id_ or "–", f"/dashboard/{kind}/{id_}") if id_ else "–"
