"""The billing portal: a customer's invoices and cards."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.html import Html, button, joined, link, status, table, tag
from tollgate_sandbox.payments.pages import away, form_of, narrow, not_found, problem, when
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.pages.common import card_form, entered_card, money
from tollgate_sandbox.stripe.payment_methods import detach
from tollgate_sandbox.stripe.setting_up import attempt_setup, new_setup
from tollgate_sandbox.stripe.world import World


async def portal(world: World, request: Request) -> Response:
    """Show it, take a new card, or drop one."""
    session = world.store.find(f"{request.path_params['session']}")
    customer = world.store.find(session["customer"]) if session and "customer" in session else None
    if session is None or session["object"] != "billing_portal.session" or customer is None:
        return not_found("session")
    if request.method == "GET":
        return _show(world, session, customer)
    form = await form_of(request)
    try:
        if "remove" in form:
            _remove(world, customer, form["remove"])
            return away(_url(session))
        return _add(world, session, customer, form)
    except StripeError as error:
        return _show(world, session, customer, error, form)
    finally:
        world.changed()


def _add(world: World, session: Json, customer: Json, form: dict[str, str]) -> Response:
    intent = new_setup(world, customer)
    world.store.hidden[intent["id"]] |= {"return_url": _url(session), "make_default": True}
    error = attempt_setup(world, intent, entered_card(world, form))
    if error is not None:
        raise error
    return away(f"/authenticate/{intent['id']}" if intent["status"] == "requires_action" else _url(session))


def _url(session: Json) -> str:
    return f"/p/session/{session['id']}"


def _remove(world: World, customer: Json, id_: str) -> None:
    method = world.store.get("payment_method", id_, "payment_method")
    if method["customer"] == customer["id"]:
        detach(world, method)


def _show(
    world: World, session: Json, customer: Json, error: StripeError | None = None, form: dict[str, str] | None = None
) -> Response:
    invoices = world.store.all("invoice", lambda one: one["customer"] == customer["id"] and one["status"] != "draft")
    rows = [
        [link(one["number"], f"/i/{one['id']}"), when(one["created"]), money(one, "total"), status(one["status"])]
        for one in reversed(invoices)
    ]
    back = session["return_url"]
    return narrow(
        "Billing",
        tag("p", link("Back", back)) if back else None,
        tag("h1", customer["name"] or customer["email"] or "Billing"),
        tag("h2", "Invoices"),
        table(["Invoice", "Date", "Total", "Status"], rows, "No invoices yet."),
        tag("h2", "Cards"),
        _cards(world, session, customer),
        tag("h2", "New card"),
        tag("section", problem(error), card_form(_url(session), "Save as default", given=form)),
        status=402 if error else 200,
    )


def _cards(world: World, session: Json, customer: Json) -> Html:
    methods = world.store.all("payment_method", lambda one: one["customer"] == customer["id"])
    default = customer["invoice_settings"]["default_payment_method"]
    rows = [
        [
            f"{one['card']['brand']} …{one['card']['last4']}",
            "default" if one["id"] == default else "",
            button("Remove", _url(session), kind="danger", remove=one["id"]),
        ]
        for one in methods
    ]
    return joined([table(["Card", "", ""], rows, "No card saved.")])
