"""Routes of the provider API for what payment providers are asked and say, and for what a person must decide of it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json
from tollgate_billing.payments.inbox import Aside, decide_event, events_aside
from tollgate_billing.payments.outbox import Request, decide, find_request, list_requests
from tollgate_core.events import rfc3339

Shown = Annotated[Literal["pending", "stuck", "dropped", "done"], Query()]


def outbox_routes(services: Services) -> APIRouter:
    """``retry`` looks first for what earlier attempts may have left; ``drop`` leaves the statement to be paid by other
    means."""
    router = APIRouter()

    @router.get("/outbox")
    def listed(state: Shown = "stuck", limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Json:
        with services.database.read() as connection:
            return {"requests": [_view(request) for request in list_requests(connection, state, limit)]}

    @router.post("/outbox/{request}/retry")
    def retry(request: str) -> Json:
        return _decide(services, request, again=True)

    @router.post("/outbox/{request}/drop")
    def drop(request: str) -> Json:
        return _decide(services, request, again=False)

    @router.get("/inbox")
    def events() -> Json:
        with services.database.read() as connection:
            return {"events": [_view_event(event) for event in events_aside(connection)]}

    @router.post("/inbox/{event}/retry")
    def retry_event(event: str) -> Json:
        return _decide_event(services, event, again=True)

    @router.post("/inbox/{event}/drop")
    def drop_event(event: str) -> Json:
        return _decide_event(services, event, again=False)

    return router


def _decide_event(services: Services, event: str, *, again: bool) -> Json:
    with services.database.write() as connection:
        if not decide_event(connection, event, again, services.clock()):
            raise Problem(404, f"no event {event} waits for a person")
    return {"event": event}


def _view_event(event: Aside) -> Json:
    return {
        "id": event.id,
        "provider": event.provider,
        "kind": event.kind,
        "about": event.about,
        "received_at": rfc3339(event.received_ms),
        "problem": event.problem,
    }


def _decide(services: Services, request_id: str, *, again: bool) -> Json:
    with services.database.write() as connection:
        found = find_request(connection, request_id, lock=True)
        if found is None:
            raise Problem(404, f"there is no request {request_id}")
        if found.state == "pending" and again:
            return _view(found)
        if found.state != "stuck" and not (found.state == "pending" and found.leased_ms <= services.clock()):
            raise Problem(409, f"the request {request_id} is {found.state}: there is nothing to decide")
        return _view(decide(connection, found, again=again, now_ms=services.clock()))


def _view(request: Request) -> Json:
    return {
        "id": request.id,
        "kind": request.kind,
        "provider": request.provider,
        "subscription": request.subscription,
        "subject": request.subject,
        "state": request.state,
        "attempts": request.attempts,
        "created_at": rfc3339(request.created_ms),
        "due_at": rfc3339(request.due_ms),
        "problem": request.problem,
    }
