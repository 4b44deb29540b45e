"""A test call through the gate's own code: what the upstream would get of it, and the event that it would become."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from tollgate_cli.probe.call import Outgoing, Reading
from tollgate_cli.probe.target import Target
from tollgate_core.admission import Admission
from tollgate_core.events import UsageEvent
from tollgate_core.metering import CallVariables, uncounted_dimensions
from tollgate_core.metering.record import Draft
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.gate.compiled import GateRules
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.limits import estimate
from tollgate_extproc.gate.preparing import prepare
from tollgate_extproc.gate.request import Request
from tollgate_extproc.gate.upstream import UpstreamRequest, upstream_request

_CALLER = "probe"


@dataclass(frozen=True)
class ClientCall:
    """What a client would send to the gateway; ``gzip`` is what the upstream is asked for in spite of the gate."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    gzip: bool


@dataclass(frozen=True)
class Admitted:
    """``sent`` describes the call without any of its text."""

    outgoing: Outgoing
    admission: Admission
    sent: dict[str, Any] = field(default_factory=dict[str, Any])


class ProbeGate:
    """Rejection rules, transformations, forced usage and evaluation, by the modules that serve production."""

    def __init__(self, expressions: Expressions, catalog: str, now_ms: Callable[[], int]) -> None:
        self._expressions = expressions
        self._rules = GateRules(expressions)
        self._catalog = catalog
        self._now_ms = now_ms

    async def admit(self, target: Target, call: ClientCall) -> Admitted | Denial:
        """From the client's request to the upstream's, but for keys, limits and credit."""
        plan, product = target.plan, target.product
        headers = {"content-type": "application/json", "user-agent": "tollgate-probe", **call.headers}
        request = Request(plan.endpoint.method, call.path, urlencode(call.query), headers, "127.0.0.1")
        request.receive_body(msgspec.json.encode(call.body))
        prepared = await prepare(self._rules, plan, product, request)
        if isinstance(prepared, Denial):
            return prepared
        fmt = plan.format
        streamed = fmt is not None and prepared.body is not None and fmt.is_stream(prepared.body, request.path)
        admission = Admission(
            id=str(uuid.uuid4()),
            started_ms=self._now_ms(),
            partition=0,
            subscription=_CALLER,
            customer=_CALLER,
            product=product.name,
            product_version=product.version,
            catalog=self._catalog,
            endpoint=plan.endpoint.id,
            model=(fmt.request_model(prepared.client or {}, request.params) if fmt else None) or "",
            streamed=streamed,
            input_estimate=estimate(plan, prepared.body, len(request.body)).input,
            captured=prepared.captured,
        )
        before = request.body
        up, strip = upstream_request(request, admission, plan, prepared.client, prepared.body)
        outgoing = _outgoing(target, request, up, call.gzip)
        sent = {
            "method": outgoing.method,
            "path": urlsplit(outgoing.url).path,
            "model": admission.model,
            "streamed": streamed,
            "usage_optional": fmt is not None and not fmt.client_asked_usage({"stream": True}),
            "usage_asked": _asks_usage(target, outgoing.body),
            "usage_forced": request.body != before,
            "usage_chunk_stripped": strip,
            "accept_encoding": outgoing.headers["accept-encoding"],
            "body_bytes": len(outgoing.body),
        }
        return Admitted(outgoing, admission, sent)

    async def event(self, target: Target, admission: Admission, reading: Reading) -> UsageEvent | None:
        """What settlement would write."""
        if reading.observation is None:
            return None
        draft = Draft(admission, target.plan, reading.observation)
        measured = (
            await self._expressions.measure(draft.measurement, target.api.qualified_name) if draft.measurement else None
        )
        return draft.event(measured)


def not_counted(target: Target, admission: Admission, reading: Reading, event: UsageEvent) -> tuple[str, ...]:
    """Dimensions of a call that are billed nowhere."""
    seen, usage = reading.observation, event.data.usage
    if seen is None or usage is None or event.data.unmetered or not event.data.quantities:
        return ()
    response = CallVariables(seen.status, seen.response_headers, seen.body)
    return uncounted_dimensions(target.plan, usage, admission.captured, response)


def _asks_usage(target: Target, body: bytes) -> bool:
    """Whether the upstream is asked to report usage; always where it does so by itself."""
    return target.plan.format is None or target.plan.format.client_asked_usage(msgspec.json.decode(body))


def _outgoing(target: Target, request: Request, up: UpstreamRequest, gzip: bool) -> Outgoing:
    """As Envoy would send it: path rewritten, host and credential put on, no compression asked for."""
    upstream = target.upstream
    headers = {n: v for n, v in request.original.headers.items() if n not in up.remove_headers}
    headers |= {n: v for n, v in up.set_headers.items() if not n.startswith(":")}
    headers |= {"host": upstream.host, "accept-encoding": "gzip" if gzip else "identity"}
    if upstream.header:
        headers[upstream.header.lower()] = upstream.value
    parts = urlsplit(upstream.base)
    return Outgoing(
        method=target.plan.endpoint.method,
        url=f"{parts.scheme}://{parts.netloc}{target.upstream_path(request.target)}",
        headers=headers,
        body=request.body if up.body is None else up.body,
        tls_name=upstream.name,
        format=target.plan.format,
    )
