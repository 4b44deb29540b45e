"""The meter's socket: bytes from Envoy to the HTTP/2 receiver, answers back."""

import asyncio
from collections.abc import Callable
from typing import cast

import structlog

from tollgate_extproc.meter.http2 import Connection, ProtocolError, Receiver

_log = structlog.get_logger("meter")


class _Peer(asyncio.Protocol):
    def __init__(self, open_stream: Callable[[], Receiver], peers: "set[_Peer]") -> None:
        self._connection = Connection(open_stream)
        self._peers = peers
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._peers.add(self)

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
        self._peers.discard(self)

    def end(self) -> None:
        """What is still running is settled provisionally before the process ends."""
        self._connection.close()
        if self._transport is not None:
            self._transport.abort()


class MeterServer:
    """The listening socket and its connections."""

    def __init__(self, open_stream: Callable[[], Receiver]) -> None:
        self._open_stream = open_stream
        self._peers: set[_Peer] = set()
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> None:
        """Listen on ``unix:/path`` or ``host:port``."""
        loop = asyncio.get_running_loop()
        if address.startswith("unix:"):
            self._server = await loop.create_unix_server(self._peer, address.removeprefix("unix:"))
            return
        host, _, port = address.rpartition(":")
        self._server = await loop.create_server(self._peer, host.strip("[]"), int(port), reuse_port=True)

    def _peer(self) -> _Peer:
        return _Peer(self._open_stream, self._peers)

    def stop(self) -> None:
        """No new connections; what was seen of running responses is kept."""
        if self._server is not None:
            self._server.close()
        for peer in list(self._peers):
            peer.end()
