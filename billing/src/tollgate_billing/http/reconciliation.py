"""Routes of the provider API for differences between books."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tollgate_billing.http.problems import Problem
from tollgate_billing.http.provider_calls import asking
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json
from tollgate_billing.payments.drifts import Drift, accept_drift, list_drifts
from tollgate_core.events import rfc3339


class Acceptance(BaseModel):
    """Why a difference is right."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500)]


def reconciliation_routes(services: Services) -> APIRouter:
    """What the last comparison found; compare now; accept one."""
    router = APIRouter()

    @router.get("/reconciliation")
    def listed() -> Json:
        with services.database.read() as connection:
            return {"drifts": [_view(drift) for drift in list_drifts(connection)]}

    @router.post("/reconciliation")
    def compare() -> Json:
        with asking():
            return {"drifts": [_view(drift) for drift in services.reconcile()]}

    @router.post("/reconciliation/{drift}/accept")
    def accept(drift: str, asked: Acceptance) -> Json:
        with services.database.write() as connection:
            if not accept_drift(connection, drift, asked.reason, services.clock()):
                raise Problem(404, f"there is no difference {drift}; it may be gone: tollgate reconcile")
            return {"drifts": [_view(one) for one in list_drifts(connection) if one.id == drift]}

    return router


def _view(drift: Drift) -> Json:
    return {
        "id": drift.id,
        "kind": drift.kind,
        "provider": drift.provider,
        "subscription": drift.subscription,
        "subject": drift.subject,
        "message": drift.message,
        "found_at": rfc3339(drift.found_ms),
        "accepted_at": rfc3339(drift.accepted_ms) if drift.accepted_ms else None,
        "reason": drift.reason,
    }
