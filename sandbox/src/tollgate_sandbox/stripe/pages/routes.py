"""Where the pages are."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import tollgate_sandbox.payments
from tollgate_sandbox.stripe.pages.actions import act, advance, clear_faults, deliver
from tollgate_sandbox.stripe.pages.authenticate import authenticate
from tollgate_sandbox.stripe.pages.checkout import checkout
from tollgate_sandbox.stripe.pages.common import CSS, away
from tollgate_sandbox.stripe.pages.dashboard import dashboard
from tollgate_sandbox.stripe.pages.details import customer_page, invoice_page
from tollgate_sandbox.stripe.pages.invoice import hosted_invoice, pdf
from tollgate_sandbox.stripe.pages.portal import portal
from tollgate_sandbox.stripe.world import World

Shown: TypeAlias = Callable[[World, Request], Awaitable[Response]]
_STYLE = Path(tollgate_sandbox.payments.__file__).with_name("style.css")
_BOTH, _GET, _POST = ["GET", "POST"], ["GET"], ["POST"]
_PAGES: tuple[tuple[str, list[str], Shown], ...] = (
    ("/c/pay/{session}", _BOTH, checkout),
    ("/authenticate/{intent}", _BOTH, authenticate),
    ("/i/{invoice}", _BOTH, hosted_invoice),
    ("/i/{invoice}/pdf", _GET, pdf),
    ("/p/session/{session}", _BOTH, portal),
    ("/dashboard", _GET, dashboard),
    ("/dashboard/clock/advance", _POST, advance),
    ("/dashboard/webhooks/deliver", _POST, deliver),
    ("/dashboard/faults/clear", _POST, clear_faults),
    ("/dashboard/invoices/{id}", _GET, invoice_page),
    ("/dashboard/customers/{id}", _GET, customer_page),
    ("/dashboard/{kind}/{id}/{action}", _POST, act),
)


def page_routes(world: World) -> list[Route]:
    """The routes of one account's pages."""
    return [
        *(Route(path, _bound(world, shown), methods=methods) for path, methods, shown in _PAGES),
        Route(CSS, _style, methods=_GET),
        Route("/", _home, methods=_GET),
    ]


def _bound(world: World, shown: Shown) -> Callable[[Request], Awaitable[Response]]:
    async def bound(request: Request) -> Response:
        return await shown(world, request)

    return bound


async def _style(_request: Request) -> Response:
    return Response(_STYLE.read_text(), media_type="text/css")


async def _home(_request: Request) -> Response:
    return away("/dashboard")
