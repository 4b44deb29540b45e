"""Every recorded stream gives the same reduction, however its bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.formats.streams import RECORDINGS, Recording
from tollgate_core.formats import FORMATS

each_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)


@each_recording
def test_whole(recording: Recording) -> None:
    assert recording.reduce([recording.body]) == recording.expected["reduction"]


@each_recording
def test_cut_at_every_position(recording: Recording) -> None:
    body = recording.body
    for position in range(len(body) + 1):
        assert recording.reduce([body[:position], body[position:]]) == recording.expected["reduction"], position


@each_recording
def test_byte_by_byte(recording: Recording) -> None:
    chunks = [bytes([byte]) for byte in recording.body]
    assert recording.reduce(chunks) == recording.expected["reduction"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_random_chunks(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(RECORDINGS))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(recording.body)), max_size=40)))
    bounds = [0, *cuts, len(recording.body)]
    chunks = [recording.body[start:end] for start, end in pairwise(bounds)]
    assert recording.reduce(chunks) == recording.expected["reduction"]


@each_recording
def test_dimensions_and_total(recording: Recording) -> None:
    raw = recording.expected["reduction"]["usage"] or {}
    assert recording.format.dimensions(raw) == recording.expected["dimensions"]
    assert recording.format.total(raw) == recording.expected["total"]


def test_every_format_is_recorded_twice() -> None:
    counted = [recording.format.name for recording in RECORDINGS]
    assert all(counted.count(name) >= 2 for name in FORMATS)


@each_recording
def test_a_cut_off_stream_never_invents_usage(recording: Recording) -> None:
    """After an abort at any position, counts are at most those of the whole stream."""
    whole = recording.expected["total"]
    for end in range(0, len(recording.body), 7):
        usage = recording.reduce([recording.body[:end]])["usage"]
        assert usage is None or recording.format.total(usage) <= whole
