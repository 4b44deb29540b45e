"""The ASGI application of the simulated Stripe."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tollgate_sandbox.payments.control import body_of, control_routes, json_response
from tollgate_sandbox.payments.reading import Fields
from tollgate_sandbox.payments.settings import PaymentSettings
from tollgate_sandbox.stripe.api import Api
from tollgate_sandbox.stripe.due import next_task
from tollgate_sandbox.stripe.pages.routes import page_routes
from tollgate_sandbox.stripe.simulator import Simulator
from tollgate_sandbox.stripe.table import OPERATIONS

TICK_SECONDS = 1.0


class StripeApp(Starlette):
    """A simulated account behind HTTP; needs the lifespan protocol, for it sends webhooks and saves by itself."""

    def __init__(self, settings: PaymentSettings) -> None:
        self.simulator = Simulator(settings)
        self.simulator.load()
        self.api = Api(self.simulator, OPERATIONS)
        routes = [
            *control_routes(self.simulator),
            *page_routes(self.simulator),
            Route("/sandbox/keys", self._keys, methods=["GET", "POST"]),
            Route("/sandbox/ignored", self._ignored, methods=["GET"]),
            Route("/v1/{rest:path}", self.api.__call__, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]),
        ]
        super().__init__(routes=routes, lifespan=_lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pages are linked by the address that the caller used, unless another one is public."""
        if scope["type"] == "http":
            url = self.simulator.settings.public_url or str(Request(scope).base_url)
            self.simulator.base_url = url.rstrip("/")
        await super().__call__(scope, receive, send)

    async def _keys(self, request: Request) -> Response:
        """Revoke a key, or let it in again."""
        revoked = self.simulator.revoked
        if request.method == "POST":
            try:
                fields = Fields(await body_of(request))
                out, back = fields.text("revoke", ""), fields.text("restore", "")
                fields.end()
            except ValueError as wrong:
                return json_response({"error": str(wrong)}, 400)
            revoked |= {out} if out else set()
            revoked -= {back}
            self.simulator.changed()
        return json_response({"accepted": list(self.simulator.settings.keys), "revoked": sorted(revoked)})

    async def _ignored(self, _request: Request) -> Response:
        return json_response({name: sorted(params) for name, params in self.api.ignored.items()})


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncGenerator[None]:
    assert isinstance(app, StripeApp)  # noqa: S101 - Starlette hands over the application it belongs to
    simulator = app.simulator
    tasks = [asyncio.create_task(simulator.sender.run()), asyncio.create_task(_tick(simulator))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await simulator.sender.close()
        simulator.flush()


async def _tick(simulator: Simulator) -> None:
    """Time also passes by itself."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        now = simulator.now()
        if next_task(simulator, now) is not None:
            simulator.run_due(now)
            simulator.changed()
