"""Putting bytes on the wire: cut, dripped, compressed, held back or ended by a real TCP reset."""

import asyncio
import contextlib
import socket
import struct
import zlib
from collections.abc import Iterator, Mapping
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import Any, Protocol, cast

from starlette.types import Receive, Scope, Send

from tollgate_sandbox.errors import DisconnectedError
from tollgate_sandbox.journal import Entry
from tollgate_sandbox.script import Script

EXTENSION = "tollgate.transport"


class Cutter:
    """Cuts the body into the pieces that shall be written one by one."""

    def __init__(self, drip: int, offsets: tuple[int, ...]) -> None:
        self._drip = drip
        self._offsets = list(offsets)
        self._at = 0
        self._kept = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces that are due. Between split offsets bytes wait for each other; dripping never waits."""
        self._kept += data
        while self._offsets and self._at + len(self._kept) >= self._offsets[0]:
            size = self._offsets.pop(0) - self._at
            yield from self._take(size)
        if not self._offsets:
            yield from self.flush()

    def flush(self) -> Iterator[bytes]:
        """Whatever is left."""
        yield from self._take(len(self._kept))

    def _take(self, size: int) -> Iterator[bytes]:
        taken, self._kept = self._kept[:size], self._kept[size:]
        self._at += size
        step = self._drip or size
        yield from (taken[at : at + step] for at in range(0, size, step or 1))


class Wire:
    """One response on its way out. Every method raises DisconnectedError once the client is gone."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, entry: Entry, script: Script) -> None:
        self._receive, self._send, self._entry = receive, send, entry
        self._transport = cast("asyncio.Transport | None", scope.get("extensions", {}).get(EXTENSION))
        self._cutter = Cutter(script.drip_bytes, script.split)
        self._single = not (script.drip_bytes or script.split)
        self._reset_at = script.reset_after_bytes
        self._zip = zlib.compressobj(wbits=31) if script.gzip else None
        self.chunked = scope.get("http_version") == "1.1" and self._transport is not None

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the response."""
        raw = {**headers, "content-encoding": "gzip"} if self._zip else headers
        pairs = [(name.encode(), value.encode()) for name, value in raw.items()]
        self._entry.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})
        self.check()

    async def write(self, data: bytes) -> None:
        """Write body bytes, flushed at once so that each event travels alone."""
        if self._zip:
            data = self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        for piece in self._cutter.feed(data):
            await self._put(piece)

    async def flush(self) -> None:
        """Write the bytes that wait for a later split offset; a pause must not keep them back."""
        for piece in self._cutter.flush():
            await self._put(piece)

    async def finish(self) -> None:
        """End the body; returns only if all of it went into the transport with the client still there."""
        if self._zip:
            for piece in self._cutter.feed(self._zip.flush()):
                await self._put(piece)
        await self.flush()
        await self.drain()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def drain(self) -> None:
        """Wait until the transport takes more."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": True})
        self.check()

    def put_chunk(self, framed: bytes) -> None:
        """Write a ready-made HTTP chunk past the server's own encoder: the cheap path for speed measurements."""
        if self._transport is None or self._transport.is_closing():
            raise DisconnectedError
        self._transport.write(framed)
        self._entry.bytes += len(framed)

    async def pause(self, seconds: float) -> None:
        """Wait, but not for a client that has left."""
        await self.flush()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._gone(), seconds)

    async def hold(self, released: asyncio.Event) -> None:
        """Wait for a test's permission, but not for a client that has left."""
        await self.flush()
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(released.wait()), asyncio.create_task(self._gone())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self.check()

    async def abort(self) -> None:
        """Reset the connection, after the kernel has delivered what was sent before."""
        if self._transport is None:
            raise RuntimeError("a reset needs the sandbox's own server: use serve()")
        await self.flush()
        peer = cast("socket.socket", self._transport.get_extra_info("socket"))
        await _delivered(self._transport, peer)
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await self._gone()

    def check(self) -> None:
        """Raise if the client is gone."""
        if self._transport is not None and self._transport.is_closing():
            raise DisconnectedError

    async def _put(self, piece: bytes) -> None:
        if self._reset_at is not None and self._entry.bytes + len(piece) >= self._reset_at:
            piece = piece[: self._reset_at - self._entry.bytes]
            await self._body(piece)
            self._cutter = Cutter(0, ())
            await self.abort()
        await self._body(piece)

    async def _body(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self.check()
        self._entry.bytes += len(piece)
        if not self._single:
            await asyncio.sleep(0)  # lets the event loop write this piece before the next is queued

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise DisconnectedError


class HasFileno(Protocol):
    """Anything with a file descriptor."""

    def fileno(self) -> int:
        """The descriptor."""
        ...


async def _delivered(transport: asyncio.Transport, peer: HasFileno, tries: int = 200) -> None:
    """Wait shortly until nothing is left to send, for a reset discards what the peer has not yet got."""
    for _ in range(tries):
        if transport.is_closing():
            return
        queued = struct.unpack("i", ioctl(peer.fileno(), TIOCOUTQ, b"\0" * 4))[0]
        if not queued and not transport.get_write_buffer_size():
            return
        await asyncio.sleep(0.001)
