"""The meter's HTTP/2 receiver: every message of every stream, however the bytes are cut; ends and losses are told."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate_extproc.meter.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Connection,
    ProtocolError,
    frame,
    goodbye,
)


class Recorder:
    """Done at a message ``end``."""

    def __init__(self, log: list[tuple[int, bytes | str]], number: int) -> None:
        self._log = log
        self._number = number

    def message(self, payload: bytes) -> bool:
        self._log.append((self._number, payload))
        return payload == b"end"

    def lost(self) -> None:
        self._log.append((self._number, "lost"))


def connection() -> tuple[Connection, list[tuple[int, bytes | str]]]:
    log: list[tuple[int, bytes | str]] = []
    count = iter(range(1, 1000))
    return Connection(lambda: Recorder(log, next(count))), log


def grpc(payload: bytes) -> bytes:
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def feed(found: Connection, pieces: Sequence[bytes]) -> bytes:
    return b"".join(found.receive(piece) for piece in pieces)


OPEN = PREFACE + frame(SETTINGS, 0, 0, b"")


def test_messages_of_streams_that_are_interleaved() -> None:
    found, log = connection()
    data = OPEN + b"".join(frame(HEADERS, END_HEADERS, n, b"\x82") for n in (1, 3))
    data += frame(DATA, 0, 1, grpc(b"a")) + frame(DATA, 0, 3, grpc(b"b") + grpc(b"c")) + frame(DATA, 0, 1, grpc(b"end"))
    answer = feed(found, [data])
    assert log == [(1, b"a"), (2, b"b"), (2, b"c"), (1, b"end")]
    assert goodbye(1) in answer
    assert found.open_streams == 1
    found.close()
    assert log[-1] == (2, "lost")


@given(st.lists(st.binary(max_size=60).filter(lambda b: b != b"end"), max_size=8), st.lists(st.integers(0, 600)))
def test_any_cut_of_the_bytes_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    body = b"".join(grpc(message) for message in messages)
    frames = b"".join(frame(DATA, 0, 1, body[i : i + 16]) for i in range(0, len(body), 16))
    data = OPEN + frame(HEADERS, END_HEADERS, 1, b"\x82") + frames
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found, log = connection()
    feed(found, [data[a:b] for a, b in pairwise(bounds)])
    assert log == [(1, message) for message in messages]


@pytest.mark.parametrize(
    "ending", [frame(RST_STREAM, 0, 1, b"\0\0\0\0"), frame(DATA, END_STREAM, 1, b""), frame(HEADERS, 5, 1, b"\x82")]
)
def test_an_end_before_the_response_s_own_is_a_loss(ending: bytes) -> None:
    found, log = connection()
    feed(found, [OPEN + frame(HEADERS, END_HEADERS, 1, b"\x82") + frame(DATA, 0, 1, grpc(b"a")) + ending])
    assert log == [(1, b"a"), (1, "lost")]
    assert found.open_streams == 0


def test_padding_pings_and_settings() -> None:
    found, log = connection()
    padded = frame(DATA, PADDED, 1, b"\x03" + grpc(b"a") + b"\0\0\0")
    answer = feed(found, [OPEN + frame(HEADERS, END_HEADERS, 1, b"\x82") + padded + frame(PING, 0, 0, b"12345678")])
    assert log == [(1, b"a")]
    assert frame(PING, 1, 0, b"12345678") in answer
    assert frame(SETTINGS, 1, 0, b"") in answer


def test_data_after_the_end_is_ignored() -> None:
    found, log = connection()
    feed(found, [OPEN + frame(HEADERS, END_HEADERS, 1, b"\x82") + frame(DATA, 0, 1, grpc(b"end"))])
    feed(found, [frame(DATA, 0, 1, grpc(b"late")), frame(RST_STREAM, 0, 1, b"\0\0\0\0")])
    assert log == [(1, b"end")]


def decode(block: bytes) -> Any:
    return [tuple(header) for header in hpack.Decoder().decode(block)]


def test_the_constant_header_blocks_are_what_they_say() -> None:
    answer = goodbye(1)
    length = int.from_bytes(answer[:3], "big")
    assert decode(answer[9 : 9 + length]) == [(":status", "200"), ("content-type", "application/grpc")]
    rest = answer[9 + length :]
    assert decode(rest[9 : 9 + int.from_bytes(rest[:3], "big")]) == [("grpc-status", "0")]


def test_another_protocol_is_refused() -> None:
    found, _ = connection()
    with pytest.raises(ProtocolError):
        found.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
