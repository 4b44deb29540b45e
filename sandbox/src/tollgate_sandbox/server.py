"""Running the sandbox under uvicorn, with the two things a plain server lacks: TCP resets and a prompt stop."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any, Literal, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from tollgate_sandbox.app import create_app
from tollgate_sandbox.settings import Settings
from tollgate_sandbox.transport import EXTENSION

GRACE_SECONDS = 0.5


class SandboxProtocol(H11Protocol):
    """HTTP that shows the application its connection, so that a script can break it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection for the application before any request is read."""
        connection = cast(asyncio.Transport, transport)
        super().connection_made(connection)
        self.app: Any = _with_transport(self.app, connection)


class SandboxServer(Server):
    """Announces itself once it accepts connections, and cuts those that outlive a short grace."""

    def __init__(self, config: Config, ready_file: Path | None) -> None:
        super().__init__(config)
        self._ready_file = ready_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        await super().startup(sockets)
        if self.started:
            url = self._url()
            if self._ready_file:
                _write_whole(self._ready_file, url)
            sys.stdout.write(f"listening on {url}\n")
            sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let short answers end; held or stalled ones would wait for ever."""
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._cut)
        await super().shutdown(sockets)

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()

    def _url(self) -> str:
        if self.config.uds:
            return f"unix:{self.config.uds}"
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(settings: Settings, app: ASGIApp | None = None, *, lifespan: Literal["on", "off"] = "off") -> None:
    """Serve until SIGTERM or SIGINT."""
    config = Config(
        app or create_app(settings),
        host=settings.host,
        port=settings.port,
        uds=str(settings.uds) if settings.uds else None,
        http=SandboxProtocol,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    await SandboxServer(config, settings.ready_file).serve()


def _with_transport(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[EXTENSION] = transport
        await app(scope, receive, send)

    return wrapped


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees all of it or none."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text)
    os.replace(beside, path)
