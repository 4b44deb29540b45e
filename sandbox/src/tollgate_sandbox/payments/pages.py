"""What the pages of all providers share."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tollgate_sandbox.payments.html import Child, Html, link, page, tag

CSS = "/assets/style.css"
BOTH, GET, POST = ["GET", "POST"], ["GET"], ["POST"]
_STYLE = Path(__file__).with_name("style.css")
Its = TypeVar("Its")


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


def problem(error: Exception | str | None) -> Html | None:
    """An error above a form."""
    return tag("p", str(error), class_="error", role="alert") if error else None


def to(kind: str, id_: str | None, text: Child = None) -> Child:
    """A link to a detail page of the dashboard."""
    return link(text or id_ or "–", f"/dashboard/{kind}/{id_}") if id_ else "–"


def bound_routes(
    account: Its, pages: tuple[tuple[str, list[str], Callable[[Its, Request], Awaitable[Response]]], ...]
) -> list[Route]:
    """The routes of one account's pages, and what all need."""
    return [
        *(Route(path, _bound(account, shown), methods=methods) for path, methods, shown in pages),
        Route(CSS, _style, methods=GET),
        Route("/", _home, methods=GET),
    ]


def _bound(
    account: Its, shown: Callable[[Its, Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def bound(request: Request) -> Response:
        return await shown(account, request)

    return bound


async def _style(_request: Request) -> Response:
    return Response(_STYLE.read_text(), media_type="text/css")


async def _home(_request: Request) -> Response:
    return away("/dashboard")
