"""The gRPC server that Envoy's gate filter calls."""

from typing import cast

import grpc
import grpc.aio
import structlog

from tollgate_extproc.gate.handler import handle
from tollgate_extproc.gate.service import Gate
from tollgate_extproc.wire.ext_proc_pb2 import ProcessingRequest, ProcessingResponse

_SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
_UNLIMITED = -1
_log = structlog.get_logger("extproc")

Context = grpc.aio.ServicerContext[ProcessingRequest, ProcessingResponse]


class _GrpcStream:
    """Our stream port over a gRPC context."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    async def read(self) -> ProcessingRequest | None:
        message = cast("object", await self._context.read())
        # At the end gRPC gives a sentinel instead of a message.
        return message if isinstance(message, ProcessingRequest) else None

    async def write(self, response: ProcessingResponse) -> None:
        await self._context.write(response)


def make_server(gate: Gate, address: str) -> grpc.aio.Server:
    """Not started yet. ``address`` is ``unix:/path`` or ``host:port``."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _UNLIMITED),
            ("grpc.max_send_message_length", _UNLIMITED),
            ("grpc.max_concurrent_streams", 100_000),
            ("grpc.so_reuseport", 1),
            ("grpc.optimization_target", "throughput"),
        ]
    )

    async def process(_: object, context: Context) -> None:
        stream = _GrpcStream(context)
        first = await stream.read()
        if first is None:
            return
        try:
            if first.HasField("request_headers"):
                await handle(gate, first, stream)
        except Exception:
            _log.exception("stream failed")
            raise

    handler = grpc.stream_stream_rpc_method_handler(
        process,
        request_deserializer=ProcessingRequest.FromString,
        response_serializer=ProcessingResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Process": handler}),))
    server.add_insecure_port(address)
    return server
