"""What the upstream gets: the caller's identity in our headers, no credential of the client, usage reporting forced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tollgate_core.admission import Admission
from tollgate_core.metering import EndpointPlan
from tollgate_extproc.gate.request import CREDENTIAL_HEADERS, CREDENTIAL_PARAMETER, Request

_UNTOUCHED = frozenset({"host", "content-length", "transfer-encoding", "connection", "x-request-id"})


@dataclass(frozen=True)
class UpstreamRequest:
    """Header changes, and the body where it differs from the client's."""

    set_headers: Mapping[str, str]
    remove_headers: tuple[str, ...]
    body: bytes | None


def upstream_request(
    request: Request,
    admission: Admission,
    plan: EndpointPlan,
    client: Mapping[str, Any] | None,
    body: dict[str, Any] | None,
) -> tuple[UpstreamRequest, bool]:
    """The changes, and whether the forced usage chunk must be stripped from the response."""
    original = request.original
    strip = False
    if plan.format and body is not None and plan.api.force_usage and admission.streamed:
        forced = plan.format.force_usage(body)
        if forced is not None:
            request.set_body(orjson.dumps(forced))
        strip = not plan.format.client_asked_usage(client or {})
    if CREDENTIAL_PARAMETER in request.query:
        request.drop_parameter(CREDENTIAL_PARAMETER)
    changed = {
        name: value
        for name, value in request.headers.items()
        if name[:1] != ":" and name not in _UNTOUCHED and original.headers.get(name) != value
    }
    removed = [n for n in original.headers if n not in request.headers or n in CREDENTIAL_HEADERS]
    identity = {
        "x-billing-subscription-id": admission.subscription,
        "x-billing-customer-id": admission.customer,
        "x-billing-request-id": admission.id,
    }
    if request.target != original.target:
        identity[":path"] = request.target
    new_body = request.body if request.body != original.body else None
    kept = {n: v for n, v in changed.items() if n not in CREDENTIAL_HEADERS}
    return UpstreamRequest({**kept, **identity}, tuple(n for n in removed if n not in _UNTOUCHED), new_body), strip
