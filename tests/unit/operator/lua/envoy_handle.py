"""Runs the scripts under LuaJIT as Envoy does: a coroutine that is given the response's body chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from lupa import luajit21  # type: ignore[import-untyped] # its stubs know only lupa.LuaRuntime

_SCRIPTS = Path(__file__).parents[4] / "operator" / "src" / "tollgate_operator" / "envoy" / "lua"
_RESPONSE = b"\n" + (_SCRIPTS / "response.lua").read_bytes()
_HANDLE = Path(__file__).with_name("envoy_handle.lua").read_bytes()


@dataclass(frozen=True)
class Response:
    """What became of one response."""

    chunks: list[bytes]
    metadata: dict[str, dict[str, Any]]
    headers: dict[str, str]
    writes: int
    peak_kib: float

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


class Script:
    """One script, loaded once; each response runs in a coroutine of its own."""

    def __init__(self, source: bytes) -> None:
        self._lua = luajit21.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._lua.execute(source)
        self._lua.execute(_HANDLE)
        lua = self._lua.globals()
        self._start, self._feed, self._finish = lua[b"start"], lua[b"feed"], lua[b"finish"]
        self._count = self._lua.eval(b"function() return collectgarbage('count') end")

    def respond(
        self,
        chunks: Iterable[bytes],
        content_type: str,
        *,
        headers: dict[str, str] | None = None,
        metadata: dict[str, dict[str, Any]] | None = None,
        closed: bool = True,
        measured: bool = False,
    ) -> Response:
        """Run one response; one that is not `closed` breaks off, and the script is never resumed."""
        sent = {"content-type": content_type, **(headers or {})}
        before = self._kib() if measured else 0.0  # what other responses have left is not this one's
        world = self._start(_table(self._lua, sent), _table(self._lua, metadata or {}))
        out: list[bytes] = []
        peak = 0.0
        for chunk in chunks:
            out.append(self._feed(world, chunk))
            if measured:
                peak = max(peak, self._kib() - before)
        if closed:
            self._finish(world)
        kept = {name.decode(): _plain(values) for name, values in world[b"metadata"].items()}
        left = {name.decode(): value.decode() for name, value in world[b"headers"].items()}
        return Response(out, kept, left, int(world[b"writes"]), peak)

    def _kib(self) -> float:
        """In use."""
        self._lua.execute(b"collectgarbage()")
        return float(self._count())

    def nanoseconds_per_chunk(
        self, chunks: list[bytes], content_type: str, metadata: dict[str, dict[str, Any]] | None = None
    ) -> float:
        """Time many responses inside of Lua; what the handle itself costs is part of it."""
        responses = max(20_000 // len(chunks), 1)
        run = self._lua.eval(
            b"""function(chunks, count, headers, metadata)
              for _ = 1, count do
                local world = start(headers(), metadata())
                for n = 1, #chunks do feed(world, chunks[n]) end
                finish(world)
              end
            end"""
        )
        table = self._lua.table_from(chunks)
        sent = {"content-type": content_type}
        arguments = (table, responses, lambda: _table(self._lua, sent), lambda: _table(self._lua, metadata or {}))
        run(*arguments)
        began = time.perf_counter_ns()
        run(*arguments)
        return (time.perf_counter_ns() - began) / responses / len(chunks)


@cache
def capture(format_name: str) -> Script:
    """The script that captures usage in one format, configured as the listener does it."""
    return Script(f"local FORMAT = {format_name!r}\n".encode() + (_SCRIPTS / "capture.lua").read_bytes() + _RESPONSE)


@cache
def strip() -> Script:
    return Script((_SCRIPTS / "strip.lua").read_bytes() + _RESPONSE)


@cache
def reader() -> Script:
    """A script that only reads the body: what it costs is not the cost of another script."""
    return Script(
        b"""function envoy_on_response(handle)
          for chunk in handle:bodyChunks() do chunk:getBytes(0, chunk:length()) end
        end"""
    )


def cut(body: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut a body at some positions; two equal ones give an empty chunk."""
    bounds = [0, *sorted(min(position, len(body)) for position in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(bounds)]


def single_bytes(body: bytes) -> list[bytes]:
    return [body[position : position + 1] for position in range(len(body))]


def _table(lua: luajit21.LuaRuntime, values: dict[str, Any]) -> Any:
    return lua.table_from(
        {
            key.encode(): _table(lua, value)
            if isinstance(value, dict)
            else value.encode()
            if isinstance(value, str)
            else value
            for key, value in values.items()
        }
    )


def _plain(values: Any) -> dict[str, Any]:
    return {
        key.decode(): value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        for key, value in values.items()
    }
