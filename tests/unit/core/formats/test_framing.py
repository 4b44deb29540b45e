"""The SSE framing agrees with a plain reading of the standard, for any bytes in any split."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.formats.streams import NDJSON, SSE, event, reduce
from tollgate_core.formats import FORMATS, Reduction

_FIRST = event({"model": "m"})
_pieces = st.sampled_from(
    (
        *(
            b"\n",
            b"\n\n",
            b"\r",
            b"\r\n",
            b"\r\n\r\n",
            b"data",
            b"data:",
            b"data: ",
            b"event: e\n",
            b": c\n",
            b"id:1\n",
        ),
        *(b"{}", b"{", b"}", b'{"usage":{"prompt_tokens":9}}', b'{"usage":null}', b'"usage"', b":null", b"[DONE]"),
        *(b'data: {"x":1}\n\n', b'event: e\ndata: {"x":1}\n\n', b'data:{"error":{"type":"x"}}\n\n', b"\xef\xbb\xbf"),
    )
)
_bodies = st.lists(_pieces, max_size=14).map(b"".join)
_cuts = st.lists(st.integers(0, 200), max_size=6)


def _split(body: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(bounds)]


def _payloads(body: bytes) -> list[bytes]:
    """Read a body by the letter of the standard: line by line, an event at each empty line."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        if line == b"" and data:
            found.append(b"\n".join(data))
        if line == b"":
            data = []
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
    return found


@settings(max_examples=1500, deadline=None)
@given(_bodies, _cuts, st.booleans())
def test_any_bytes_in_any_split(body: bytes, cuts: list[int], first: bool) -> None:
    body = _FIRST + body if first else body
    fmt = FORMATS["openai_completions"]
    want = Reduction()
    for payload in _payloads(body):
        seen = reduce(fmt, NDJSON, [payload.replace(b"\n", b" ")])
        want.events += 1
        want.take_model(seen.model)
        want.take_usage(seen.usage, fmt.shape)
        want.terminal |= seen.terminal
        want.error = want.error or seen.error
    got = asdict(reduce(fmt, SSE, _split(body, cuts)))
    assert got == asdict(reduce(fmt, SSE, [body]))
    assert {**got, "malformed": 0} == asdict(want)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(_pieces, st.just(b'{"model":"m","done":false}\n')), max_size=14).map(b"".join), _cuts)
def test_any_lines_in_any_split(body: bytes, cuts: list[int]) -> None:
    body = b'{"model":"m"}\n' + body
    got = reduce("ollama", NDJSON, _split(body, cuts))
    assert asdict(got) == asdict(reduce("ollama", NDJSON, [body]))
    assert got.events == sum(1 for line in body.split(b"\n") if line.strip())
