"""Routes that explain a charge: from a statement's line to its events, and from an event to its lines."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query

from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json, quantity_text, view_event
from tollgate_billing.statements.evidence import EventPart, Evidence, evidence_of
from tollgate_billing.statements.journey import journey_of
from tollgate_billing.statements.store import StoredStatement, find_statement
from tollgate_core.events import rfc3339

Limit = Annotated[int, Query(ge=1, le=1000)]


def explanation_routes(services: Services) -> APIRouter:
    """Both ways."""
    router = APIRouter()

    @router.get("/statements/{statement}/lines/{line}")
    def line_of(statement: str, line: int, after: str = "", limit: Limit = 100) -> Json:
        with services.database.read() as connection:
            found = find_statement(connection, statement)
            if found is None:
                raise Problem(404, f"there is no statement {statement}")
            evidence = evidence_of(connection, found, line, after, limit)
        if evidence is None:
            raise Problem(404, f"the statement {statement} has no line {line}; lines count from 1")
        return view_evidence(found, line, evidence, limit)

    @router.get("/usage-events/{event:path}/explanation")
    def event_of(event: str) -> Json:
        with services.database.read() as connection:
            journey = journey_of(connection, event)
        row = journey.row
        return {"event": view_event(row), "corrections": len(row["corrections"]), "metrics": list(journey.metrics)}

    return router


def view_evidence(statement: StoredStatement, line: int, evidence: Evidence, limit: int) -> Json:
    """A line with its price version and one page of its events."""
    parts = evidence.parts
    return {
        "statement": statement.id,
        "subscription": statement.subscription,
        "currency": statement.currency,
        "line": line,
        "closed_at": rfc3339(statement.closed_ms),
        "cut_at": rfc3339(statement.cut_ms),
        "billed": evidence.line,
        "price": msgspec.to_builtins(evidence.price) if evidence.price else None,
        "aggregation": evidence.aggregation if evidence.window else None,
        "recorded_after": _moment(evidence),
        "sums": evidence.sums,
        "events": [_event(part) for part in parts],
        "next": parts[-1].part.event_id if len(parts) == limit else None,
    }


def _moment(evidence: Evidence) -> str | None:
    after_ms = evidence.window.after_ms if evidence.window else None
    return None if after_ms is None else rfc3339(after_ms)


def _event(part: EventPart) -> Json:
    data = part.body["data"]
    return {
        "id": part.part.event_id,
        "time": part.body["time"],
        "recorded_at": rfc3339(part.recorded_ms),
        "model": data.get("servedModel") or data.get("requestedModel") or "",
        "endpoint": data["endpoint"],
        "outcome": data["outcome"],
        "quality": data["quality"],
        "quantity": quantity_text(part.part.micros),
        "late": part.late,
        "corrected": part.corrected,
        "usage": data.get("usage"),
        "rules": list(part.rules),
    }
