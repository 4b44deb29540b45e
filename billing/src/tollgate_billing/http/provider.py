"""Routes of the provider API for usage events, totals and dead letters."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, ConfigDict

from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import (
    Json,
    quantity_text,
    view_event,
    view_event_count,
    view_letter,
    view_shares,
)
from tollgate_billing.ledger.events import list_events
from tollgate_billing.ledger.letters import list_letters
from tollgate_billing.ledger.totals import UsageTotal, event_counts, shares_by_quality, usage_totals

Limit = Annotated[int, Query(ge=1, le=1000)]
Order = Literal["newest", "oldest"]


class ReplayRequest(BaseModel):
    """One letter by its id or its event's, or all that are open."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = None


def usage_routes(services: Services) -> APIRouter:
    """Events and totals."""
    router = APIRouter()

    @router.get("/usage-events")
    def usage_events(
        subscription: str | None = None, after: str | None = None, order: Order = "newest", limit: Limit = 100
    ) -> Json:
        with services.database.read() as connection:
            rows = list_events(
                connection, subscription=subscription, after=after, oldest_first=order == "oldest", limit=limit
            )
        return {
            "events": [view_event(row) for row in rows],
            "next": rows[-1]["id"] if len(rows) == limit else None,
        }

    @router.get("/totals")
    def totals() -> Json:
        with services.database.read() as connection:
            sums, counts = usage_totals(connection), event_counts(connection)
        by_metric: dict[tuple[str, str], list[UsageTotal]] = {}
        for total in sums:
            by_metric.setdefault((total.subscription, total.metric), []).append(total)
        return {
            "metrics": [
                {
                    "subscription": subscription,
                    "metric": metric,
                    "quantity": quantity_text(sum(part.micros for part in parts)),
                    "events": sum(part.events for part in parts),
                    "by_quality": view_shares(shares_by_quality(parts)),
                }
                for (subscription, metric), parts in by_metric.items()
            ],
            "events": [view_event_count(count) for count in counts],
            "events_total": sum(count.events for count in counts),
        }

    return router


def letter_routes(services: Services) -> APIRouter:
    """Dead letters."""
    router = APIRouter()

    @router.get("/dead-letters")
    def dead_letters(open_only: bool = False, limit: Limit = 100) -> Json:
        with services.database.read() as connection:
            letters = list_letters(connection, open_only=open_only, limit=limit)
        return {"dead_letters": [view_letter(letter) for letter in letters]}

    @router.post("/dead-letters/replay", status_code=202)
    def replay(request: Annotated[ReplayRequest | None, Body()] = None) -> Json:
        letter_id = request.id if request else None
        replayed = services.replay(letter_id)
        if letter_id is not None and not replayed:
            raise Problem(404, f"there is no dead letter {letter_id}")
        return {"replayed": replayed}

    return router
