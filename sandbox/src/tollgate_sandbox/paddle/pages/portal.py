"""The customer portal: what was billed, which cards are kept, and subscriptions to cancel."""

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.card_changing import card_change
from tollgate_sandbox.paddle.changing import cancel
from tollgate_sandbox.paddle.errors import PaddleError
from tollgate_sandbox.paddle.ids import CUSTOMER, PAYMENT_METHOD, PORTAL, SUBSCRIPTION, TRANSACTION
from tollgate_sandbox.paddle.pages.common import card_of, told, total, when
from tollgate_sandbox.paddle.saved import forget
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.html import Child, Html, button, joined, link, status, table, tag
from tollgate_sandbox.payments.pages import away, form_of, narrow, not_found, problem


async def portal(world: World, request: Request) -> Response:
    """Everything of one customer; a posted form drops a card."""
    session = world.store.of_kind(PORTAL, f"{request.path_params['session']}")
    customer = world.store.of_kind(CUSTOMER, session["customer_id"]) if session else None
    if session is None or customer is None:
        return not_found("session")
    base = f"/portal/{session['id']}"
    if request.method == "POST":
        method = world.store.of_kind(PAYMENT_METHOD, (await form_of(request)).get("remove"))
        if method is not None and method["customer_id"] == customer["id"]:
            forget(world, method)
            world.changed()
        return away(base)
    return narrow(
        "Billing",
        tag("h1", customer["name"] or customer["email"]),
        tag("h2", "Subscriptions"),
        _subscriptions(world, customer, base),
        tag("h2", "Payments"),
        _payments(world, customer),
        tag("h2", "Cards"),
        _cards(world, customer, base),
    )


def _subscriptions(world: World, customer: Json, base: str) -> Html:
    rows: list[list[Child]] = []
    for one in _of(world, SUBSCRIPTION, customer):
        at = f"{base}/subscriptions/{one['id']}"
        links = [link("Update card", f"{at}/update-payment-method"), " ", link("Cancel", f"{at}/cancel")]
        change = one["scheduled_change"]
        note = f"{change['action']} on {when(change['effective_at'])}" if change else when(one["next_billed_at"])
        names = ", ".join(item["price"]["description"] for item in one["items"])
        rows.append([names, note, status(one["status"]), joined(links) if one["status"] != "canceled" else ""])
    return table(["Subscription", "Next", "Status", ""], rows)


def _payments(world: World, customer: Json) -> Html:
    rows = [
        [
            link(one["invoice_number"], f"/invoices/{one['id']}.pdf"),
            when(one["billed_at"]),
            total(one),
            status(one["status"]),
            link("Pay", one["checkout"]["url"]) if one["status"] in {"billed", "past_due"} and one["checkout"] else "",
        ]
        for one in reversed(_of(world, TRANSACTION, customer))
        if one["invoice_number"]
    ]
    return table(["Invoice", "Date", "Total", "Status", ""], rows, "No payments yet.")


def _cards(world: World, customer: Json, base: str) -> Html:
    rows = [
        [card_of(one), one["origin"].replace("_", " "), button("Remove", base, kind="danger", remove=one["id"])]
        for one in _of(world, PAYMENT_METHOD, customer)
    ]
    return table(["Card", "Saved", ""], rows, "No card saved.")


def _of(world: World, kind: str, customer: Json) -> list[Json]:
    return world.store.all(kind, lambda one: bool(one["customer_id"] == customer["id"]))


async def update_card(world: World, request: Request) -> Response:
    """On to the checkout that takes the new card."""
    subscription = world.store.of_kind(SUBSCRIPTION, f"{request.path_params['id']}")
    if subscription is None:
        return not_found("subscription")
    try:
        transaction = card_change(world, subscription)
    except PaddleError as refused:
        return narrow("Update card", problem(told(refused)), status=400)
    world.changed()
    return away(f"/checkout?_ptxn={transaction['id']}")


async def cancel_page(world: World, request: Request) -> Response:
    """Ask once more, then cancel at the end of the period."""
    subscription = world.store.of_kind(SUBSCRIPTION, f"{request.path_params['id']}")
    if subscription is None:
        return not_found("subscription")
    error: str | None = None
    if request.method == "POST":
        try:
            cancel(world, subscription, "next_billing_period")
            world.changed()
        except PaddleError as refused:
            error = told(refused)
    ends = subscription["scheduled_change"] or {"effective_at": subscription["next_billed_at"]}
    done = subscription["status"] == "canceled" or subscription["scheduled_change"] is not None
    text = f"Canceled: it ends on {when(ends['effective_at'])}." if done else "It ends when the period does."
    return narrow(
        "Cancel",
        tag("h1", "Cancel the subscription"),
        problem(error),
        tag("section", tag("p", text), None if done else button("Cancel", request.url.path, kind="danger")),
        status=400 if error else 200,
    )
