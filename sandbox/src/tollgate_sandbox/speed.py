"""A chat stream that costs as little as possible, so that measurements time the proxy and not its neighbour."""

import asyncio
import secrets
import time

from tollgate_sandbox.answer import Ask, count_words
from tollgate_sandbox.journal import Entry
from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.script import Script
from tollgate_sandbox.transport import Wire

_MARK = "t=0000000000000000000"
_DRAIN_EVERY = 64


def speed_usage(ask: Ask, script: Script) -> Json:
    """The usage of such a stream: every event is one token."""
    prompt, output = max(1, count_words(ask.texts)), script.events or 0
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


async def run_speed(wire: Wire, ask: Ask, script: Script, entry: Entry) -> None:
    """Send `events` chunks at `rate` per second from a random phase, each saying when it was sent.

    Every other field of the script is ignored.
    """
    before, after = _template(ask.model)
    loop, count = asyncio.get_running_loop(), script.events or 0
    gap = 1 / script.rate if script.rate else 0
    due = loop.time() + secrets.randbelow(1000) / 1000 * gap
    head = b"%x\r\n%b" % (len(before) + 19 + len(after), before) if wire.chunked else before
    tail = after + b"\r\n" if wire.chunked else after
    for at in range(count):
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += gap
        data = b"%b%019d%b" % (head, time.monotonic_ns(), tail)
        if not wire.chunked:
            await wire.write(data)
        else:
            wire.put_chunk(data)
            if at % _DRAIN_EVERY == 0:
                await wire.drain()
        entry.events += 1
    await wire.write(_ending(ask, script))
    entry.events += 2
    await wire.finish()
    entry.complete = True


def _template(model: str) -> tuple[bytes, bytes]:
    """A chunk's bytes around the place of the send time, which always has the same width."""
    choice = {"index": 0, "delta": {"content": _MARK}, "finish_reason": None}
    raw = b"data: " + dumps({**_head(model), "choices": [choice], "usage": None}) + b"\n\n"
    at = raw.index(_MARK.encode()) + 2
    return raw[:at], raw[at + 19 :]


def _ending(ask: Ask, script: Script) -> bytes:
    choice: Json = {"index": 0, "delta": {}, "finish_reason": "stop"}
    finish: Json = {**_head(ask.model), "choices": [choice], "usage": None}
    usage: Json = {**_head(ask.model), "choices": [], "usage": speed_usage(ask, script)}
    return b"data: %b\n\ndata: %b\n\ndata: [DONE]\n\n" % (dumps(finish), dumps(usage))


def _head(model: str) -> Json:
    return {"id": "chatcmpl-speed", "object": "chat.completion.chunk", "created": 0, "model": model}
