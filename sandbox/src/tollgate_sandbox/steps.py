"""The course of a response as a list of steps: pure, so that every fault is decided in one readable place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tollgate_sandbox.framing import Event, Framing
from tollgate_sandbox.script import Script


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes; `event` when they are one of the answer's events."""

    data: bytes
    event: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, unless the client leaves."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until a test releases this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Reset the connection."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the response cleanly; `whole` when everything intended was sent."""

    whole: bool


Step: TypeAlias = Send | Pause | Hold | Abort | Finish


def stream_steps(events: Sequence[Event], framing: Framing, script: Script, error: Event) -> Iterator[Step]:
    """A streamed answer, event by event, with the script's faults where it put them."""
    frames = framing.frames(events)
    half = _last_json(events) if script.half_event else None
    for at, frame in enumerate(frames):
        if at and script.comments and framing.comment():
            yield Send(framing.comment(), event=False)
        yield from _before(at, script, last=at == len(frames) - 1)
        if script.malformed_after == at:
            yield Send(framing.malformed(), event=False)
        if script.error_event_after == at:
            yield Send(framing.frames([*events[:at], error])[-1], event=False)
            yield Finish(whole=False)
        if half == at:
            yield Send(frame[: len(frame) // 2], event=False)
            yield Finish(whole=False)
        yield Send(frame)
    if script.reset_after is not None:
        yield Abort()
    yield Finish(whole=True)


def whole_steps(body: bytes, script: Script) -> Iterator[Step]:
    """An answer in one piece: a reset after "one event" cuts the body, for a reset after all of it cuts nothing."""
    yield from _before(0, script, last=True)
    if script.reset_after is not None:
        yield Send(body[: len(body) // 2], event=False)
        yield Abort()
    if script.half_event:
        yield Send(body[: len(body) // 2], event=False)
        yield Finish(whole=False)
    yield Send(body)
    yield Finish(whole=True)


def _before(at: int, script: Script, *, last: bool) -> Iterator[Step]:
    """What may happen between two events."""
    if script.reset_after == at:
        yield Abort()
    if script.stall_after == at:
        yield Pause(script.stall_ms / 1000)
    if script.delay_ms and (at or last):
        yield Pause(script.delay_ms / 1000)
    if script.hold is not None and last:
        yield Hold(script.hold)


def _last_json(events: Sequence[Event]) -> int:
    """The last event that is JSON: half of an end marker would prove nothing."""
    return max(at for at, event in enumerate(events) if not isinstance(event.data, str))
