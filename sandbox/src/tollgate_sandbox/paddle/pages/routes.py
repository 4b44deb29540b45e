"""Where the pages are."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tollgate_sandbox.paddle.pages.actions import act
from tollgate_sandbox.paddle.pages.authenticate import authenticate
from tollgate_sandbox.paddle.pages.checkout import checkout
from tollgate_sandbox.paddle.pages.dashboard import dashboard
from tollgate_sandbox.paddle.pages.details import customer_page, subscription_page, transaction_page
from tollgate_sandbox.paddle.pages.documents import credit_note_pdf, invoice_pdf
from tollgate_sandbox.paddle.pages.opening import open_checkout
from tollgate_sandbox.paddle.pages.portal import cancel_page, portal, update_card
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.dashboard import advance, clear_faults, deliver
from tollgate_sandbox.payments.pages import BOTH, GET, POST, bound_routes

Shown: TypeAlias = Callable[[World, Request], Awaitable[Response]]
_PORTAL = "/portal/{session}"
_SUBSCRIPTION = "/subscriptions/{id}"
_PAGES: tuple[tuple[str, list[str], Shown], ...] = (
    ("/checkout", BOTH, checkout),
    ("/checkout/open", POST, open_checkout),
    ("/authenticate/{transaction}", BOTH, authenticate),
    (_PORTAL, BOTH, portal),
    (f"{_PORTAL}{_SUBSCRIPTION}/update-payment-method", GET, update_card),
    (f"{_PORTAL}{_SUBSCRIPTION}/cancel", BOTH, cancel_page),
    (f"/manage{_SUBSCRIPTION}/update-payment-method", GET, update_card),
    (f"/manage{_SUBSCRIPTION}/cancel", BOTH, cancel_page),
    ("/invoices/{id}.pdf", GET, invoice_pdf),
    ("/credit-notes/{id}.pdf", GET, credit_note_pdf),
    ("/dashboard", GET, dashboard),
    ("/dashboard/clock/advance", POST, advance),
    ("/dashboard/webhooks/deliver", POST, deliver),
    ("/dashboard/faults/clear", POST, clear_faults),
    ("/dashboard/transactions/{id}", GET, transaction_page),
    ("/dashboard/subscriptions/{id}", GET, subscription_page),
    ("/dashboard/customers/{id}", GET, customer_page),
    ("/dashboard/{kind}/{id}/{action}", POST, act),
)


def page_routes(world: World) -> list[Route]:
    """The routes of one account's pages."""
    return bound_routes(world, _PAGES)
