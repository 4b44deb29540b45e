"""Routes for whoever runs this process: is it alive, is it ready, what has it done."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from tollgate_billing.http.services import Services


def operations_routes(services: Services) -> APIRouter:
    """Open to the network that can reach the process; they show no customer."""
    router = APIRouter()

    @router.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        troubles = dict(services.health.troubles())
        try:
            with services.database.read() as connection:
                connection.execute(text("SELECT 1"))
        except Exception as error:
            troubles["sql"] = f"not answering: {type(error).__name__}"
        if not services.is_warm():
            troubles.setdefault("redis", "not filled yet")
        lag = services.metrics.lag_seconds()
        content = {"status": "degraded" if troubles else "ready", "degraded": troubles, "lag_seconds": lag}
        return JSONResponse(content, 503 if any(map(services.health.is_ours, troubles)) else 200)

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
