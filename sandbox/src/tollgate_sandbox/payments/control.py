"""The endpoints under /sandbox by which tests and pages drive a simulator."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tollgate_sandbox.jsons import Json, as_object, dumps, loads
from tollgate_sandbox.payments.account import Account
from tollgate_sandbox.payments.policy import read_policy
from tollgate_sandbox.payments.reading import Fields

Handler = Callable[[Request], Awaitable[Response]]


def control_routes(simulator: Account) -> list[Route]:
    """The routes; a body that is unclear is answered with 400 and what is wrong."""
    control = _Control(simulator)
    handlers: dict[str, tuple[list[str], Handler]] = {
        "/sandbox/clock": (["GET", "POST"], control.clock),
        "/sandbox/faults": (["GET", "POST", "DELETE"], control.faults),
        "/sandbox/lag": (["GET", "POST"], control.lag),
        "/sandbox/rates": (["GET", "POST"], control.rates),
        "/sandbox/webhooks": (["GET", "POST"], control.webhooks),
        "/sandbox/webhooks/deliver": (["POST"], control.deliver),
        "/sandbox/state": (["GET"], control.state),
        "/sandbox/reset": (["POST"], control.reset),
    }
    return [Route(path, explained(handler), methods=methods) for path, (methods, handler) in handlers.items()]


def json_response(value: object, status: int = 200) -> Response:
    """An answer of a control endpoint."""
    return Response(dumps(value), status, media_type="application/json")


async def body_of(request: Request) -> Json:
    """The JSON object sent, or an empty one; raises ValueError."""
    raw = await request.body()
    return as_object(loads(raw)) if raw else {}


class _Control:
    def __init__(self, simulator: Account) -> None:
        self._simulator = simulator

    async def clock(self, request: Request) -> Response:
        clock = self._simulator.clock
        if request.method == "POST":
            fields = Fields(await body_of(request))
            aim = fields.whole("now", clock.now() + fields.whole("advance_seconds", 0))
            fields.end()
            if aim < clock.now():
                raise ValueError("the clock only moves forward")
            self._simulator.run_due(aim)
            self._simulator.changed()
        return json_response({"now": clock.now(), "offset": clock.offset})

    async def faults(self, request: Request) -> Response:
        faults = self._simulator.faults
        if request.method == "POST":
            return json_response(asdict(faults.add(await body_of(request))), 201)
        if request.method == "DELETE":
            faults.clear()
        return json_response(faults.all())

    async def rates(self, request: Request) -> Response:
        rates = self._simulator.rates
        if request.method == "POST":
            fields = Fields(await body_of(request))
            account, endpoint = fields.whole("account", rates.account), fields.whole("endpoint", rates.endpoint)
            fields.end()
            rates.limit(account, endpoint)
        return json_response({"account": rates.account, "endpoint": rates.endpoint})

    async def lag(self, request: Request) -> Response:
        if request.method == "POST":
            fields = Fields(await body_of(request))
            self._simulator.lag = fields.whole("seconds", 0)
            fields.end()
        return json_response({"seconds": self._simulator.lag})

    async def webhooks(self, request: Request) -> Response:
        sender = self._simulator.sender
        if request.method == "POST":
            sender.configure(read_policy(await body_of(request), sender.policy))
        return json_response({"policy": asdict(sender.policy), "deliveries": self._simulator.deliveries.all()})

    async def deliver(self, _request: Request) -> Response:
        said = await self._simulator.sender.deliver()
        self._simulator.changed()
        return json_response(said)

    async def state(self, _request: Request) -> Response:
        return json_response(self._simulator.dump())

    async def reset(self, _request: Request) -> Response:
        self._simulator.reset()
        self._simulator.changed()
        return Response(status_code=204)


def explained(handler: Handler) -> Handler:
    """The handler, with a ValueError answered as 400."""

    async def careful(request: Request) -> Response:
        try:
            return await handler(request)
        except ValueError as wrong:
            return json_response({"error": str(wrong)}, 400)

    return careful
