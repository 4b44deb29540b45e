"""Route of the provider API for what round trips to payment providers have shown."""

from fastapi import APIRouter

from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json
from tollgate_billing.payments.accounts import Outcome
from tollgate_core.events import rfc3339


def payment_provider_routes(services: Services) -> APIRouter:
    """All of the catalog; the operator makes a condition of each."""
    router = APIRouter()

    @router.get("/payment-providers")
    def listed() -> Json:
        return {"providers": [_view(outcome) for outcome in services.outcomes()]}

    return router


def _view(outcome: Outcome) -> Json:
    return {
        "name": outcome.provider,
        "kind": outcome.kind,
        "synced": outcome.synced,
        "reason": outcome.reason,
        "message": outcome.message,
        "account": outcome.account,
        "mode": outcome.mode,
        "checked_at": None if outcome.checked_ms is None else rfc3339(outcome.checked_ms),
        "spec": outcome.spec,
    }
