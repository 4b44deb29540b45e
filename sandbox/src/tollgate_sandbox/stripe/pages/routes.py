"""Where the pages are."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tollgate_sandbox.payments.dashboard import advance, clear_faults, deliver
from tollgate_sandbox.payments.pages import BOTH, GET, POST, bound_routes
from tollgate_sandbox.stripe.pages.actions import act
from tollgate_sandbox.stripe.pages.authenticate import authenticate
from tollgate_sandbox.stripe.pages.checkout import checkout
from tollgate_sandbox.stripe.pages.dashboard import dashboard
from tollgate_sandbox.stripe.pages.details import customer_page, invoice_page
from tollgate_sandbox.stripe.pages.invoice import hosted_invoice, pdf
from tollgate_sandbox.stripe.pages.portal import portal
from tollgate_sandbox.stripe.world import World

Shown: TypeAlias = Callable[[World, Request], Awaitable[Response]]
_PAGES: tuple[tuple[str, list[str], Shown], ...] = (
    ("/c/pay/{session}", BOTH, checkout),
    ("/authenticate/{intent}", BOTH, authenticate),
    ("/i/{invoice}", BOTH, hosted_invoice),
    ("/i/{invoice}/pdf", GET, pdf),
    ("/p/session/{session}", BOTH, portal),
    ("/dashboard", GET, dashboard),
    ("/dashboard/clock/advance", POST, advance),
    ("/dashboard/webhooks/deliver", POST, deliver),
    ("/dashboard/faults/clear", POST, clear_faults),
    ("/dashboard/invoices/{id}", GET, invoice_page),
    ("/dashboard/customers/{id}", GET, customer_page),
    ("/dashboard/{kind}/{id}/{action}", POST, act),
)


def page_routes(world: World) -> list[Route]:
    """The routes of one account's pages."""
    return bound_routes(world, _PAGES)
