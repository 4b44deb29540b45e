"""Carrying out one request under a fault."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from tollgate_sandbox.payments.faults import Fault, Kind
from tollgate_sandbox.transport import EXTENSION


async def under(
    fault: Fault | None, request: Request, act: Callable[[], Response], error: Callable[[Fault], Response]
) -> Response:
    """The answer to a request whose effect is `act`; `error` words an error in the provider's own shape."""
    if fault is None:
        return act()
    match fault.kind:
        case Kind.SLOW:
            await asyncio.sleep(fault.ms / 1000)
            return act()
        case Kind.STATUS:
            return error(fault)
        case Kind.REFUSED:
            return await cut(request)
        case Kind.ANSWER_LOST:
            act()
            return await cut(request)
        case Kind.ERROR_AFTER:
            act()
            return error(fault)


async def cut(request: Request) -> Response:
    """Close the connection; the answer returned goes nowhere."""
    transport = request.scope.get("extensions", {}).get(EXTENSION)
    if transport is None:
        raise RuntimeError("closing a connection needs the sandbox's own server: use serve()")
    cast(asyncio.Transport, transport).abort()
    receive = cast("Callable[[], Awaitable[dict[str, object]]]", request.receive)
    while (await receive())["type"] != "http.disconnect":
        pass
    return Response()
