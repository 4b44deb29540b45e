"""One test call on the wire. Bytes go to the meter's own watch as they come; nothing of an answer is kept."""

import copy
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tollgate_core.formats import Reduction, UsageFormat, body_parser
from tollgate_core.metering import Observation
from tollgate_extproc.meter.watch import ResponseWatch

#: A client that leaves does so after this many events; all that came later did not come.
EVENTS_BEFORE_LEAVING = 5
_MOST_OF_AN_ERROR = 64 * 1024
#: Envoy decodes these; of the ones it cannot, the meter says so itself.
_DECODED_BY_ENVOY = frozenset({"gzip", "br", "zstd"})


@dataclass(frozen=True)
class Outgoing:
    """What Envoy would send."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tls_name: str | None
    format: UsageFormat | None


@dataclass(frozen=True)
class Reading:
    """What came back. ``failure`` says why there is no answer at all, ``error`` is an error answer's own word,
    ``usage_seen`` every state that the reported usage went through, ``left`` whether the client left in time,
    ``reached`` whether there was a connection at all."""

    observation: Observation | None = None
    usage_seen: tuple[dict[str, Any], ...] = ()
    encoding: str = ""
    error: str = ""
    failure: str = ""
    left: bool = False
    reached: bool = True


class _SpoiltError(Exception):
    """The body is not what its header says."""


async def perform(
    client: httpx.AsyncClient,
    request: Outgoing,
    watch_of: Callable[[dict[str, str]], ResponseWatch],
    now_ms: Callable[[], int],
    leaves: bool,
) -> Reading:
    """Send, and read to the end or until the client leaves."""
    extensions = {"sni_hostname": request.tls_name} if request.tls_name else {}
    sent = client.build_request(
        request.method, request.url, headers=dict(request.headers), content=request.body, extensions=extensions
    )
    try:
        response = await client.send(sent, stream=True)
    except (httpx.HTTPError, OSError, ValueError) as error:
        return Reading(failure=_why(error), reached=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout))
    try:
        return await _read(response, request.format, watch_of, now_ms, leaves)
    finally:
        await response.aclose()


async def _read(
    response: httpx.Response,
    fmt: UsageFormat | None,
    watch_of: Callable[[dict[str, str]], ResponseWatch],
    now_ms: Callable[[], int],
    leaves: bool,
) -> Reading:
    encoding = response.headers.get("content-encoding", "")
    if encoding in _DECODED_BY_ENVOY - {"gzip"}:
        return Reading(failure=f"it answered with the encoding {encoding}, which Envoy decodes and the probe cannot")
    headers = {":status": str(response.status_code), **{n.lower(): v for n, v in response.headers.items()}}
    if encoding == "gzip":
        del headers["content-encoding"]
    watch = watch_of(headers)
    seen: list[dict[str, Any]] = []
    error = Reduction()
    parser = body_parser(headers.get("content-type", ""), fmt, error) if fmt and response.is_error else None
    left, broken, size = False, False, 0
    try:
        async for piece in _pieces(response, encoding):
            watch.feed(piece)
            size += len(piece)
            if parser is not None and size <= _MOST_OF_AN_ERROR:
                parser.feed(piece)
            if watch.usage is not None and (not seen or watch.usage != seen[-1]):
                seen.append(copy.deepcopy(watch.usage))
            if leaves and watch.events >= EVENTS_BEFORE_LEAVING:
                left = True
                break
    except (httpx.HTTPError, OSError, _SpoiltError):
        broken = True
    if parser is not None:
        parser.close()
    observation = watch.finish(now_ms(), complete=not (left or broken))
    if broken:
        observation.ending = "upstream"  # what the access log would say
    if observation.usage is not None and (not seen or observation.usage != seen[-1]):
        seen.append(copy.deepcopy(observation.usage))
    return Reading(observation, tuple(seen), encoding, error.error or "", left=left)


async def _pieces(response: httpx.Response, encoding: str) -> AsyncIterator[bytes]:
    """Line by line, so that what a client has read when it leaves does not depend on how bytes were packed."""
    decoder = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    async for chunk in response.aiter_raw():
        try:
            plain = decoder.decompress(chunk) if decoder else chunk
        except zlib.error as error:
            raise _SpoiltError from error
        start = 0
        while start < len(plain):
            end = plain.find(b"\n", start) + 1 or len(plain)
            yield plain[start:end]
            start = end


def _why(error: Exception) -> str:
    """By kind, for a library's own words may hold a header."""
    if isinstance(error, httpx.ConnectTimeout):
        return "it cannot be reached: no connection in time"
    if isinstance(error, httpx.ConnectError):
        return f"it cannot be reached: {error}"
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time; --timeout gives it longer"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return "it closed the connection without an answer"
    return f"the call could not be made ({type(error).__name__})"
