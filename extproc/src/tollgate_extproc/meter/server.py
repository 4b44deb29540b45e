"""The meter's socket: bytes from Envoy to the HTTP/2 receiver, answers back."""

import asyncio
from collections.abc import Callable

import structlog

from tollgate_extproc.meter.http2 import Connection, ProtocolError, Receiver

_log = structlog.get_logger("meter")


class _Peer(asyncio.Protocol):
    def __init__(self, open_stream: Callable[[], Receiver]) -> None:
        self._connection = Connection(open_stream)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101
        try:
            answer = self._connection.receive(data)
        except ProtocolError as error:
            _log.warning("a connection was closed", error=str(error))
            self._transport.abort()
            return
        if answer:
            self._transport.write(answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._connection.close()


async def start_meter_server(address: str, open_stream: Callable[[], Receiver]) -> asyncio.Server:
    """Listen on ``unix:/path`` or ``host:port``."""
    loop = asyncio.get_running_loop()
    if address.startswith("unix:"):
        return await loop.create_unix_server(lambda: _Peer(open_stream), address.removeprefix("unix:"))
    host, _, port = address.rpartition(":")
    return await loop.create_server(lambda: _Peer(open_stream), host.strip("[]"), int(port), reuse_port=True)
