"""A light streaming client: raw sockets, one callback per read, delays from the time that each event carries."""

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_SENT = re.compile(rb"t=(\d{9,})")


@dataclass
class Samples:
    """Delays and times to the first event in ns."""

    delays: list[int] = field(default_factory=list[int])
    first: list[int] = field(default_factory=list[int])
    finished: int = 0
    broken: int = 0


class _Stream(asyncio.Protocol):
    def __init__(self, request: bytes, samples: Samples, done: "asyncio.Future[None]") -> None:
        self._request = request
        self._samples = samples
        self._done = done
        self._started = 0
        self._tail = b""
        self._seen = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._started = time.monotonic_ns()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        found = _SENT.findall(data)
        if found and not self._seen:
            self._samples.first.append(now - self._started)
        self._seen += len(found)
        self._samples.delays.extend([now - int(sent) for sent in found])
        self._tail = (self._tail + data)[-64:]
        if b"[DONE]" in self._tail:
            self._samples.finished += 1
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if b"[DONE]" not in self._tail:
            self._samples.broken += 1
        if not self._done.done():
            self._done.set_result(None)


async def stream_load(url: str, key: str, *, streams: int, events: int, rate: float, seed: int) -> Samples:
    """``streams`` at once, begun at random moments of a second, each of ``events`` at ``rate`` per second."""
    parts = urlsplit(url)
    script = json.dumps({"events": events, "rate": rate})
    body = json.dumps({"model": "gpt-5", "stream": True, "messages": [{"role": "user", "content": "bench"}]})
    request = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nX-Sandbox: {script}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    samples, chance = Samples(), random.Random(seed)
    loop = asyncio.get_running_loop()

    async def one() -> None:
        await asyncio.sleep(chance.random())
        done: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda: _Stream(request, samples, done), parts.hostname or "", parts.port or 80)
        await done

    await asyncio.gather(*(one() for _ in range(streams)))
    return samples


async def sequential(url: str, key: str, count: int) -> list[int]:
    """Round trips of small calls that are not streamed, 50 a second on one connection; ns each."""
    parts = urlsplit(url)
    body = json.dumps({"model": "gpt-5", "max_tokens": 4, "messages": [{"role": "user", "content": "bench"}]})
    request = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    times: list[int] = []
    for _ in range(count):
        started = time.monotonic_ns()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        match = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert match, head
        await reader.readexactly(int(match[1]))
        times.append(time.monotonic_ns() - started)
        await asyncio.sleep(0.02)
    writer.close()
    return times
