"""The gate's side of an ext_proc stream: headers, then the body where there is one, then one decision."""

import structlog
from google.protobuf.struct_pb2 import Struct

from tollgate_core.admission import METADATA_NAMESPACE
from tollgate_extproc.gate.deciding import UNAVAILABLE
from tollgate_extproc.gate.denial import Denial, immediate_response, set_header
from tollgate_extproc.gate.request import Request, parse_request
from tollgate_extproc.gate.service import Admitted, Caller, Gate
from tollgate_extproc.stream import Stream
from tollgate_extproc.wire.ext_proc_pb2 import (
    BodyMutation,
    BodyResponse,
    CommonResponse,
    HeaderMutation,
    HeadersResponse,
    ProcessingRequest,
    ProcessingResponse,
)

_log = structlog.get_logger("gate")
_CONTINUE = ProcessingResponse(request_headers=HeadersResponse())


async def handle(gate: Gate, first: ProcessingRequest, stream: Stream) -> None:
    """Answer one request. ``first`` carries its headers and attributes."""
    attributes = _attributes(first)
    route = attributes.get("xds.route_name", "")
    request = parse_request(first.request_headers, attributes.get("source.address", "").rpartition(":")[0])
    caller = await gate.authenticate(request, route)
    if isinstance(caller, Denial):
        await stream.write(_denied(gate, caller, route))
        return
    if first.request_headers.end_of_stream:
        await stream.write(await _decide(gate, caller, request, route, headers_only=True))
        return
    await stream.write(_CONTINUE)
    message = await stream.read()
    if message is None or message.WhichOneof("request") != "request_body":
        return  # the client left before its body was complete
    request.receive_body(message.request_body.body)
    await stream.write(await _decide(gate, caller, request, route, headers_only=False))


def _attributes(message: ProcessingRequest) -> dict[str, str]:
    found: dict[str, str] = {}
    for struct in message.attributes.values():
        for name, value in struct.fields.items():
            found[name] = value.string_value
    return found


async def _decide(
    gate: Gate, caller: Caller, request: Request, route: str, *, headers_only: bool
) -> ProcessingResponse:
    try:
        decision = await gate.admit(caller, request)
    except Exception:
        # Fail closed, for this request alone; a hold that it may have is found by its log line.
        _log.exception("admission failed")
        decision = UNAVAILABLE
    if isinstance(decision, Denial):
        return _denied(gate, decision, route)
    gate.answered(decision)
    return _admitted(decision, headers_only=headers_only)


def _denied(gate: Gate, denial: Denial, route: str) -> ProcessingResponse:
    gate.answered(denial)
    return ProcessingResponse(immediate_response=immediate_response(denial, gate.format_name(route)))


def _admitted(admitted: Admitted, *, headers_only: bool) -> ProcessingResponse:
    upstream = admitted.upstream
    common = CommonResponse(
        header_mutation=HeaderMutation(
            set_headers=[set_header(name, value) for name, value in upstream.set_headers.items()],
            remove_headers=upstream.remove_headers,
        )
    )
    if upstream.body is not None and not headers_only:
        common.body_mutation.CopyFrom(BodyMutation(body=upstream.body))
        common.header_mutation.set_headers.append(set_header("content-length", str(len(upstream.body))))
    metadata = Struct()
    metadata.update({METADATA_NAMESPACE: dict(admitted.metadata)})
    if headers_only:
        return ProcessingResponse(request_headers=HeadersResponse(response=common), dynamic_metadata=metadata)
    return ProcessingResponse(request_body=BodyResponse(response=common), dynamic_metadata=metadata)
