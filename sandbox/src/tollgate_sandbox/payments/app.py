"""The ASGI application around a simulated account."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from tollgate_sandbox.payments.account import Account
from tollgate_sandbox.payments.control import body_of, control_routes, explained, json_response
from tollgate_sandbox.payments.reading import Fields

TICK_SECONDS = 1.0


class PaymentApp(Starlette):
    """A simulated account behind HTTP; needs the lifespan protocol, for it sends webhooks and saves by itself."""

    def __init__(self, account: Account, routes: Iterable[BaseRoute], ignored: Mapping[str, set[str]]) -> None:
        self.account = account
        self._ignored_params = ignored
        account.load()
        controls = [
            *control_routes(account),
            Route("/sandbox/keys", explained(self._keys), methods=["GET", "POST"]),
            Route("/sandbox/ignored", self._ignored, methods=["GET"]),
        ]
        super().__init__(routes=[*controls, *routes], lifespan=_lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pages are linked by the address that the caller used, unless another one is public."""
        if scope["type"] == "http":
            url = self.account.settings.public_url or str(Request(scope).base_url)
            self.account.base_url = url.rstrip("/")
        await super().__call__(scope, receive, send)

    async def _keys(self, request: Request) -> Response:
        """Revoke a key, or let it in again."""
        revoked = self.account.revoked
        if request.method == "POST":
            fields = Fields(await body_of(request))
            out, back = fields.text("revoke", ""), fields.text("restore", "")
            fields.end()
            revoked |= {out} if out else set()
            revoked -= {back}
            self.account.changed()
        return json_response({"accepted": list(self.account.settings.keys), "revoked": sorted(revoked)})

    async def _ignored(self, _request: Request) -> Response:
        return json_response({name: sorted(params) for name, params in self._ignored_params.items()})


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncGenerator[None]:
    assert isinstance(app, PaymentApp)  # noqa: S101 - Starlette hands over the application it belongs to
    account = app.account
    tasks = [asyncio.create_task(account.sender.run()), asyncio.create_task(_tick(account))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await account.sender.close()
        account.flush()


async def _tick(account: Account) -> None:
    """Time also passes by itself."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        if account.is_due():
            account.run_due(account.now())
            account.changed()
