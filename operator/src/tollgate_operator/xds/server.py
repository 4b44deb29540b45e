"""The gRPC side of ADS: decodes requests, hands them to the stream's state machine, writes its responses."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import structlog
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryRequest, DiscoveryResponse
from envoy_data_plane.google.protobuf import Any

from tollgate_operator.xds.snapshot import Snapshot, SnapshotCache
from tollgate_operator.xds.stream import AdsStream, Request, Response

_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_log = structlog.get_logger("xds")


class AdsServer:
    """Serves ``cache`` on ``address`` (``unix:/path`` or ``host:port``)."""

    def __init__(self, cache: SnapshotCache, address: str) -> None:
        self._cache = cache
        self._server = grpc.aio.server()
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=DiscoveryRequest.parse, response_serializer=bytes
        )
        handlers = grpc.method_handlers_generic_handler(_SERVICE, {"StreamAggregatedResources": handler})
        self._server.add_generic_rpc_handlers((handlers,))
        self._server.add_insecure_port(address)

    async def start(self) -> None:
        """Begin to accept streams."""
        await self._server.start()

    async def stop(self) -> None:
        """Close all streams; every Envoy keeps serving what it has."""
        await self._server.stop(grace=0.5)

    async def _stream(
        self, requests: AsyncIterator[DiscoveryRequest], context: "grpc.aio.ServicerContext[object, object]"
    ) -> None:
        stream = AdsStream()
        lock = asyncio.Lock()
        seen: list[Snapshot | None] = [None]

        async def send(responses: list[Response]) -> None:
            for response in responses:
                await context.write(_encode(response))

        async def follow() -> None:
            while True:
                snapshot = await self._cache.wait_for_change(seen[0])
                async with lock:
                    seen[0] = snapshot
                    await send(stream.on_snapshot(snapshot))
                    for word in stream.unchanged(snapshot):
                        await self._cache.acknowledge(word)

        follower: asyncio.Task[None] | None = None
        try:
            async for message in requests:
                stream.node = stream.node or (message.node.id if message.node else "") or "envoy"
                async with lock:
                    seen[0] = seen[0] or self._cache.current
                    responses, word = stream.on_request(_decode(message), seen[0])
                    await send(responses)
                if word:
                    if word.error:
                        _log.warning("nack", node=word.node, type=word.type_url, version=word.version, error=word.error)
                    await self._cache.acknowledge(word)
                follower = follower or asyncio.create_task(follow())
        finally:
            if follower:
                follower.cancel()
            self._cache.forget(stream.node)


def _decode(message: DiscoveryRequest) -> Request:
    return Request(
        message.type_url,
        message.version_info,
        message.response_nonce,
        tuple(message.resource_names),
        message.error_detail.message if message.error_detail else "",
    )


def _encode(response: Response) -> DiscoveryResponse:
    return DiscoveryResponse(
        version_info=response.version,
        type_url=response.type_url,
        nonce=response.nonce,
        resources=[Any(type_url=response.type_url, value=content) for content in response.resources],
    )
