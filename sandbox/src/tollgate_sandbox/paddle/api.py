"""The API: who asks, which operation, under which fault, and the answer's shape."""

from collections.abc import Iterable
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.jsons import Json, dumps, loads
from tollgate_sandbox.paddle.calls import Answer, Call, Operation, Params
from tollgate_sandbox.paddle.errors import PaddleError, refused
from tollgate_sandbox.paddle.keys import check_key
from tollgate_sandbox.paddle.params import check
from tollgate_sandbox.paddle.queries import check_query
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.exchange import under
from tollgate_sandbox.payments.faults import Fault
from tollgate_sandbox.payments.routing import Table

_FAULT_CODES = {429: "too_many_requests", 503: "service_unavailable"}


class Api:
    """Answers with the operations it is given."""

    def __init__(self, world: World, operations: Iterable[Operation]) -> None:
        self._world = world
        self._table = Table(operations)
        self.ignored: dict[str, set[str]] = {}
        """Fields that were accepted and had no effect, by operation."""

    async def __call__(self, request: Request) -> Response:
        """One request from first to last byte."""
        body = await request.body()
        try:
            return await self._answer(request, body)
        except PaddleError as error:
            return _refusal(error)

    async def _answer(self, request: Request, body: bytes) -> Response:
        world = self._world
        check_key(request.headers.get("authorization", ""), world.settings.keys, world.revoked)
        if not world.rates.allow(request.method, world.now()):
            answer = _refusal(refused("too_many_requests", "IP address exceeded the allowed rate limit.", 429))
            answer.headers["retry-after"] = str(world.rates.seconds_left(world.now()))
            return answer
        found = self._table.find(request.method, request.url.path)
        if found is None:
            detail = f"{request.method} {request.url.path} is nothing that the simulator knows."
            raise refused("invalid_url", detail, 404)
        operation, ids = found
        fault = world.faults.take(request.method, request.url.path)
        return await under(fault, request, lambda: self._act(request, operation, ids, body), _faulty)

    def _act(self, request: Request, operation: Operation, ids: list[str], body: bytes) -> Response:
        world = self._world
        try:
            query = check_query(dict(request.query_params), operation.query, operation.include)
            call = Call(world, request.url.path, ids, Params(_body(body, operation)), query)
            given = operation.act(call)
        except PaddleError as error:
            return _refusal(error)
        finally:
            if request.method != "GET":
                world.changed()
        answer = _shown(given)
        if call.params.ignored:
            self.ignored.setdefault(f"{operation.method} {operation.path}", set()).update(call.params.ignored)
            answer.headers["sandbox-ignored"] = ", ".join(call.params.ignored)
        return answer


def _body(raw: bytes, operation: Operation) -> Json:
    shapes = operation.bodies or ((operation.body,) if operation.body else ())
    if not shapes:
        return {}
    try:
        told: object = loads(raw) if raw else {}
    except ValueError as wrong:
        raise refused("invalid_json", "The request body is not valid JSON.") from wrong
    refusals: list[PaddleError] = []
    for shape in shapes:
        try:
            return check(told, shape)
        except PaddleError as error:
            refusals.append(error)
    raise min(refusals, key=lambda error: len(error.errors))


def _shown(given: Answer | Response | Json) -> Response:
    if isinstance(given, Response):
        return given
    answer = given if isinstance(given, Answer) else Answer(given)
    meta: Json = {"request_id": str(uuid4())}
    if answer.pagination is not None:
        meta["pagination"] = answer.pagination
    return _response(answer.status, {"data": answer.data, "meta": meta})


def _refusal(error: PaddleError) -> Response:
    return _response(error.status, {"error": error.body(), "meta": {"request_id": str(uuid4())}})


def _response(status: int, body: Json) -> Response:
    return Response(dumps(body), status, media_type="application/json")


def _faulty(fault: Fault) -> Response:
    code = _FAULT_CODES.get(fault.status, "internal_error")
    answer = _refusal(refused(code, "An error ordered from the simulator.", fault.status))
    if fault.retry_after is not None:
        answer.headers["retry-after"] = str(fault.retry_after)
    return answer
