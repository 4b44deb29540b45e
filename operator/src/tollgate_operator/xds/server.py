"""The gRPC side of ADS: decodes requests, hands them to the stream's state machine, writes its responses."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import structlog
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource
from envoy_data_plane.google.protobuf import Any

from tollgate_operator.xds.snapshot import Snapshot, SnapshotCache
from tollgate_operator.xds.stream import AdsStream, Request, Response

_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_log = structlog.get_logger("xds")


class AdsServer:
    """Serves ``cache`` on ``address`` (``unix:/path`` or ``host:port``); with ``credentials`` only to known clients."""

    def __init__(self, cache: SnapshotCache, address: str, credentials: "grpc.ServerCredentials | None" = None) -> None:
        self._cache = cache
        self._numbers = itertools.count(1)
        self._server = grpc.aio.server(
            options=[
                ("grpc.keepalive_time_ms", 10_000),
                ("grpc.keepalive_timeout_ms", 5_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
                ("grpc.http2.max_ping_strikes", 0),
            ]
        )
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=DeltaDiscoveryRequest.parse, response_serializer=bytes
        )
        handlers = grpc.method_handlers_generic_handler(_SERVICE, {"DeltaAggregatedResources": handler})
        self._server.add_generic_rpc_handlers((handlers,))
        if credentials is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, credentials)

    async def start(self) -> None:
        """Begin to accept streams."""
        await self._server.start()

    async def stop(self) -> None:
        """Close all streams; every Envoy keeps serving what it has."""
        await self._server.stop(grace=0.5)

    async def _stream(
        self, requests: AsyncIterator[DeltaDiscoveryRequest], context: "grpc.aio.ServicerContext[object, object]"
    ) -> None:
        stream = AdsStream()
        name = f"stream {next(self._numbers)}"
        lock = asyncio.Lock()
        seen: list[Snapshot | None] = [None]

        async def send(responses: list[Response]) -> None:
            for response in responses:
                await context.write(_encode(response))
            if seen[0]:
                await self._cache.report(name, stream.report(seen[0]))

        async def follow() -> None:
            while True:
                snapshot = await self._cache.wait_for_change(seen[0])
                async with lock:
                    seen[0] = snapshot
                    await send(stream.on_snapshot(snapshot))

        follower: asyncio.Task[None] | None = None
        try:
            async for message in requests:
                stream.node = stream.node or (message.node.id if message.node else "") or "envoy"
                request = _decode(message)
                if request.error:
                    _log.warning("nack", node=stream.node, type=request.type_url, error=request.error)
                async with lock:
                    seen[0] = seen[0] or self._cache.current
                    await send(stream.on_request(request, seen[0]))
                follower = follower or asyncio.create_task(follow())
        finally:
            if follower:
                follower.cancel()
            await self._cache.forget(name)


def _decode(message: DeltaDiscoveryRequest) -> Request:
    return Request(
        message.type_url,
        tuple(name for name in message.resource_names_subscribe if name != "*"),
        tuple(name for name in message.resource_names_unsubscribe if name != "*"),
        dict(message.initial_resource_versions),
        message.response_nonce,
        message.error_detail.message if message.error_detail else "",
    )


def _encode(response: Response) -> DeltaDiscoveryResponse:
    return DeltaDiscoveryResponse(
        system_version_info=response.version,
        type_url=response.type_url,
        nonce=response.nonce,
        resources=[
            Resource(name=name, version=version, resource=Any(type_url=response.type_url, value=content))
            for name, version, content in response.resources
        ],
        removed_resources=list(response.removed),
    )
