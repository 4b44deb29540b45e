"""Where payment providers tell what happened. Nothing is believed that is not signed, and nothing is done before it is
answered but to write it down."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import IntegrityError

from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json
from tollgate_billing.payments.inbox import receive
from tollgate_billing.payments.port import NotAuthenticError

_LARGEST_BODY = 1024 * 1024


def webhook_routes(services: Services) -> APIRouter:
    """One address for each PaymentProvider."""
    router = APIRouter()

    @router.post("/webhooks/{provider:path}")
    async def webhook(provider: str, request: Request) -> Json:
        body = await _body(request)
        fresh = await run_in_threadpool(_store, services, provider, dict(request.headers), body)
        return {"received": True, "duplicate": not fresh}

    return router


async def _body(request: Request) -> bytes:
    """Raises a 413 as soon as it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise Problem(413, f"an event has at most {_LARGEST_BODY} bytes")
    return bytes(body)


def _store(services: Services, name: str, headers: dict[str, str], body: bytes) -> bool:
    provider = services.providers().get(name)
    if provider is None:
        raise Problem(404, "there is no such payment provider, or its keys are missing or not known to be right")
    now = services.clock()
    try:
        event = provider.read_event(body, headers, now)
    except NotAuthenticError as error:
        services.metrics.forged_events.inc()
        raise Problem(400, f"not accepted: {error}") from error
    try:
        with services.database.write() as connection:
            return receive(connection, name, event, now)
    except IntegrityError:
        return False  # the same event, at the same moment
