"""Just enough of HTTP/2 (RFC 9113) to receive gRPC streams: frames in, state kept, what must be answered out.

The meter's side streams only ever receive, thousands of small messages per second, and a general gRPC server spends
ten times on each what the metering itself costs. So this end reads DATA frames itself and does without the rest:
header blocks are not even decoded (one service is called here, and a receiver that never decodes needs no table),
windows are as large as the protocol allows, responses are two constant header blocks.
"""

from collections.abc import Callable
from struct import Struct
from typing import Protocol

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = Struct(">BHBBI")  # length (8 + 16 bits), type, flags, stream
_MESSAGE_HEAD = 5  # gRPC: one byte "compressed", four bytes length

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
_LARGEST_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65_535
_REFILL = 2**29
_MAX_MESSAGE = 64 << 20


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame."""
    length = len(payload)
    return _HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream) + payload


def _setting(name: int, value: int) -> bytes:
    return name.to_bytes(2, "big") + value.to_bytes(4, "big")


_MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW_SIZE = 3, 4
GREETING = frame(
    SETTINGS, 0, 0, _setting(_MAX_CONCURRENT_STREAMS, 1_000_000) + _setting(_INITIAL_WINDOW_SIZE, _LARGEST_WINDOW)
) + frame(WINDOW_UPDATE, 0, 0, (_LARGEST_WINDOW - _DEFAULT_WINDOW).to_bytes(4, "big"))

# HPACK (RFC 7541): 0x88 is the static table's ":status: 200"; literals without indexing carry name and value.
_HEADERS_BLOCK = b"\x88" + b"\x0f\x10" + b"\x10application/grpc"
_TRAILERS_BLOCK = b"\x00" + b"\x0bgrpc-status" + b"\x010"


def goodbye(stream: int) -> bytes:
    """A whole response: status 200, gRPC status OK, and no interest in whatever the peer would still send."""
    return (
        frame(HEADERS, END_HEADERS, stream, _HEADERS_BLOCK)
        + frame(HEADERS, END_HEADERS | END_STREAM, stream, _TRAILERS_BLOCK)
        + frame(RST_STREAM, 0, stream, b"\0\0\0\0")
    )


class Receiver(Protocol):
    """One stream's messages. ``message`` says whether the stream is done; ``lost`` comes if it ends before."""

    def message(self, payload: bytes) -> bool: ...

    def lost(self) -> None: ...


class ProtocolError(Exception):
    """The peer does not speak what is expected here; the connection is closed."""


class _Stream:
    __slots__ = ("partial", "receiver")

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.partial = b""


class Connection:
    """One peer. ``receive`` takes bytes as they come and returns bytes to send. No I/O here."""

    def __init__(self, open_stream: Callable[[], Receiver]) -> None:
        self._open_stream = open_stream
        self._streams: dict[int, _Stream] = {}
        self._rest: bytes = b""
        self._greeted = False
        self._consumed = 0

    @property
    def open_streams(self) -> int:
        """How many streams are open now."""
        return len(self._streams)

    def receive(self, data: bytes) -> bytes:
        """Raises ProtocolError."""
        if self._rest:
            data = self._rest + data
        position, end, out = 0, len(data), b""
        if not self._greeted:
            if end < len(PREFACE):
                self._rest = data
                return b""
            if not data.startswith(PREFACE):
                raise ProtocolError("not an HTTP/2 connection preface")
            position, self._greeted, out = len(PREFACE), True, GREETING
        while end - position >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, position)
            after = position + _HEAD.size + (high << 16 | low)
            if after > end:
                break
            if kind == DATA:
                out += self._data(stream, flags, data, position + _HEAD.size, after)
            else:
                out += self._control(kind, flags, stream, data[position + _HEAD.size : after])
            position = after
        self._rest = data[position:]
        return out

    def close(self) -> None:
        """The connection is gone: every stream that was open is lost."""
        for stream in self._streams.values():
            stream.receiver.lost()
        self._streams.clear()

    def _data(self, number: int, flags: int, data: bytes, start: int, end: int) -> bytes:
        out = self._refill(end - start)
        stream = self._streams.get(number)
        if stream is None:
            return out  # answered already
        if flags & PADDED:
            start, end = start + 1, end - data[start]
        if stream.partial:
            data, start, end = stream.partial + data[start:end], 0, len(stream.partial) + end - start
        while end - start >= _MESSAGE_HEAD:
            after = start + _MESSAGE_HEAD + int.from_bytes(data[start + 1 : start + _MESSAGE_HEAD], "big")
            if after - start > _MAX_MESSAGE:
                raise ProtocolError("a message is too large")
            if after > end:
                break
            if stream.receiver.message(data[start + _MESSAGE_HEAD : after]):
                del self._streams[number]
                return out + goodbye(number)
            start = after
        stream.partial = data[start:end]
        if flags & END_STREAM:
            return out + self._lost(number)
        return out

    def _refill(self, consumed: int) -> bytes:
        self._consumed += consumed
        if self._consumed < _REFILL:
            return b""
        update = frame(WINDOW_UPDATE, 0, 0, self._consumed.to_bytes(4, "big"))
        self._consumed = 0
        return update

    def _lost(self, number: int) -> bytes:
        stream = self._streams.pop(number, None)
        if stream is None:
            return b""
        stream.receiver.lost()
        return goodbye(number)

    def _control(self, kind: int, flags: int, number: int, payload: bytes) -> bytes:
        if kind == HEADERS:
            if number not in self._streams:
                self._streams[number] = _Stream(self._open_stream())
            return self._lost(number) if flags & END_STREAM else b""
        if kind == RST_STREAM:
            stream = self._streams.pop(number, None)
            if stream is not None:
                stream.receiver.lost()
        elif kind == SETTINGS and not flags & ACK:
            return frame(SETTINGS, ACK, 0, b"")
        elif kind == PING and not flags & ACK:
            return frame(PING, ACK, 0, payload)
        return b""
