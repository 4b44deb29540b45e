"""The hosted checkout page."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.html import Html, field, link, table, tag
from tollgate_sandbox.payments.pages import away, form_of, narrow, not_found, problem
from tollgate_sandbox.stripe.checkouts import needs_owner, submit, submit_debit
from tollgate_sandbox.stripe.debiting import FAILS, SETTLES, debit_method
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.pages.common import card_form, entered_card, money
from tollgate_sandbox.stripe.world import World

_BUTTONS = {"setup": "Save card", "payment": "Pay", "subscription": "Subscribe"}


async def checkout(world: World, request: Request) -> Response:
    """Show the form, or take a card; success leads to the seller's page."""
    session = world.store.find(f"{request.path_params['session']}")
    if session is None or session["object"] != "checkout.session":
        return not_found("checkout session")
    if session["status"] != "open":
        return _closed(session)
    if request.method == "GET":
        return _show(world, session)
    form = await form_of(request)
    try:
        if "iban" in form:
            error = submit_debit(world, session, debit_method(world, form["iban"], {"name": form.get("name")}))
        else:
            error = submit(world, session, entered_card(world, form))
    except StripeError as refused:
        error = refused
    world.changed()
    if error is not None:
        return _show(world, session, error, form)
    if needs_owner(world, session):
        return away(f"/authenticate/{session['payment_intent'] or session['setup_intent']}")
    return away(success_url(session))


def success_url(session: Json) -> str:
    """Where the seller wants people after success."""
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _show(
    world: World, session: Json, error: StripeError | None = None, form: dict[str, str] | None = None
) -> Response:
    items: list[Json] = world.store.hidden[session["id"]]["line_items"]
    total = tag("p", money(session, "amount_total"), class_="total") if items else None
    bought = table(
        ["Item", "Quantity", "Amount"],
        [[item["description"], item["quantity"], money(item, "amount_total")] for item in items],
    )
    title = "Save a card" if session["mode"] == "setup" else "Checkout"
    label = _BUTTONS[session["mode"]]
    label = f"{label} {money(session, 'amount_total')}" if items else label
    needs_email = session["customer"] is None and session["customer_email"] is None
    return narrow(
        title,
        tag("h1", title),
        total,
        bought if items else None,
        tag("section", problem(error), card_form(f"/c/pay/{session['id']}", label, email=needs_email, given=form)),
        _debit_form(session, label) if "sepa_debit" in session["payment_method_types"] and items else None,
        tag("p", link("Cancel and go back", session["cancel_url"])) if session["cancel_url"] else None,
        status=402 if error else 200,
    )


def _debit_form(session: Json, label: str) -> Html:
    return tag(
        "section",
        tag(
            "form",
            field("IBAN", "iban", required="", placeholder=SETTLES),
            field("Name on account", "name", required=""),
            tag("button", f"{label} by bank debit", class_="main"),
            method="post",
            action=f"/c/pay/{session['id']}",
        ),
        tag("p", f"{SETTLES} is paid after five days, {FAILS} fails.", class_="note"),
    )


def _closed(session: Json) -> Response:
    text = "This was paid or saved already." if session["status"] == "complete" else "This page has expired."
    back = session["success_url"] if session["status"] == "complete" else session["cancel_url"]
    goes_back = (
        tag("p", link("Back", success_url(session) if back == session["success_url"] else back)) if back else None
    )
    return narrow("Checkout", tag("h1", "Checkout"), tag("p", text), goes_back)
