"""The API: who asks, which operation, under which key and fault, and the answer's shape."""

from collections.abc import Iterable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.payments.exchange import under
from tollgate_sandbox.payments.faults import Fault
from tollgate_sandbox.payments.routing import Table
from tollgate_sandbox.stripe.calls import Call, Operation, Params
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.forms import read_form
from tollgate_sandbox.stripe.idempotency import fingerprint
from tollgate_sandbox.stripe.keys import check_key
from tollgate_sandbox.stripe.params import check
from tollgate_sandbox.stripe.rendering import present
from tollgate_sandbox.stripe.shapes import new_id
from tollgate_sandbox.stripe.world import API_VERSION, World

_FAULT_CODES = {429: ("rate_limit_error", "rate_limit")}


class Api:
    """Answers /v1 with the operations it is given."""

    def __init__(self, world: World, operations: Iterable[Operation]) -> None:
        self._world = world
        self._table = Table(operations)
        self.ignored: dict[str, set[str]] = {}
        """Parameters that were accepted and had no effect, by operation."""

    async def __call__(self, request: Request) -> Response:
        """One request from first to last byte."""
        id_ = new_id("req", 14)
        body = (await request.body()).decode(errors="replace")
        try:
            answer = await self._answer(request, id_, body)
        except StripeError as error:
            answer = _response(error.status, error.body())
        answer.headers["request-id"] = id_
        answer.headers["stripe-version"] = request.headers.get("stripe-version", API_VERSION)
        if key := request.headers.get("idempotency-key"):
            answer.headers["idempotency-key"] = key
        return answer

    async def _answer(self, request: Request, id_: str, body: str) -> Response:
        world = self._world
        check_key(request.headers.get("authorization", ""), world.settings.keys, world.revoked)
        operation, ids = self._find(request.method, request.url.path)
        if not world.rates.allow(f"{operation.method} {operation.path}", world.now()):
            raise StripeError(429, "Request rate limit exceeded.", kind="rate_limit_error", code="rate_limit")
        text = body if request.method == "POST" else request.url.query
        fault = world.faults.take(request.method, request.url.path)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is None:
            return await under(fault, request, lambda: self._act(request, operation, ids, text, (id_, None)), _faulty)
        return await self._once(request, operation, ids, text, (id_, key), fault)

    async def _once(
        self,
        request: Request,
        operation: Operation,
        ids: list[str],
        text: str,
        source: tuple[str, str],
        fault: Fault | None,
    ) -> Response:
        """Under an idempotency key: what once began is answered the same for a day; refusals are not kept."""
        world, (id_, key) = self._world, source
        mark = fingerprint(request.method, request.url.path, text)
        kept = world.idempotency.begin(key, mark, world.now())
        if kept is not None:
            replay = Response(kept.body, kept.status, media_type="application/json")
            replay.headers["idempotent-replayed"] = "true"
            return await under(fault, request, lambda: replay, _faulty)

        def act() -> Response:
            answer = self._act(request, operation, ids, text, (id_, key))
            if answer.status_code < 400 or answer.status_code == 402:
                failed_after = fault is not None and fault.kind == "error_after"
                final = _faulty(cast(Fault, fault)) if failed_after else answer
                world.idempotency.keep(key, mark, world.now(), final.status_code, bytes(final.body))
            return answer

        try:
            return await under(fault, request, act, _faulty)
        finally:
            world.idempotency.end(key)

    def _act(
        self, request: Request, operation: Operation, ids: list[str], text: str, source: tuple[str, str | None]
    ) -> Response:
        world = self._world
        world.request = source if request.method != "GET" else (None, None)
        try:
            params = Params(check(read_form(text), operation.shape) if operation.shape else {})
            call = Call(world, request.url.path, ids, params)
            shown = present(world.store, operation.act(call), params.get("expand") or [])
        except StripeError as error:
            return _response(error.status, error.body())
        finally:
            world.request = (None, None)
            if request.method != "GET":
                world.changed()
        answer = _response(200, shown)
        if call.params.ignored:
            self.ignored.setdefault(f"{operation.method} {operation.path}", set()).update(call.params.ignored)
            answer.headers["sandbox-ignored"] = ", ".join(call.params.ignored)
        return answer

    def _find(self, method: str, path: str) -> tuple[Operation, list[str]]:
        found = self._table.find(method, path)
        if found is not None:
            return found
        message = f"Unrecognized request URL ({method}: {path}). The simulator may not know what Stripe does."
        raise StripeError(404, message)


def _response(status: int, body: Json) -> Response:
    return Response(dumps(body, lines=True), status, media_type="application/json")


def _faulty(fault: Fault) -> Response:
    kind, code = _FAULT_CODES.get(fault.status, ("api_error", None))
    error = StripeError(fault.status, "An error ordered from the simulator.", kind=kind, code=code)
    answer = _response(fault.status, error.body())
    if fault.retry_after is not None:
        answer.headers["retry-after"] = str(fault.retry_after)
    return answer
