"""Small HTTP servers of the operator: health and metrics, and the webhook."""

import ssl
from typing import Protocol

from aiohttp import web

from tollgate_operator.cluster.liveness import Liveness
from tollgate_operator.cluster.metrics import Metrics


class Health(Protocol):
    """What the probes ask."""

    liveness: Liveness

    def problems(self) -> list[str]:
        """What keeps it from being ready."""
        ...

    def notes(self) -> list[str]:
        """What else is worth saying."""
        ...


def health_application(health: Health, metrics: Metrics) -> web.Application:
    """``/healthz`` says what is stuck; ``/readyz`` names what is missing; ``/metrics`` is for Prometheus."""

    async def healthz(request: web.Request) -> web.Response:
        del request
        stuck = health.liveness.problems()
        return web.Response(text="\n".join(stuck or ["ok"]) + "\n", status=503 if stuck else 200)

    async def readyz(request: web.Request) -> web.Response:
        del request
        missing = health.problems()
        lines = [*(missing or ["ok"]), *health.notes()]
        return web.Response(text="\n".join(lines) + "\n", status=503 if missing else 200)

    async def show(request: web.Request) -> web.Response:
        del request
        return web.Response(body=metrics.text(), content_type="text/plain")

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", show)
    return application


async def serve(application: web.Application, listen: str, context: ssl.SSLContext | None = None) -> web.AppRunner:
    """On ``host:port``. ``cleanup`` of the answer stops it."""
    host, _, port = listen.rpartition(":")
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context).start()
    return runner
