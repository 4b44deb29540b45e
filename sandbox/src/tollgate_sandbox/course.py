"""Walking through the steps of one response, and noting in the journal how far it came."""

import asyncio
from collections.abc import Iterable

from tollgate_sandbox.journal import Entry
from tollgate_sandbox.steps import Abort, Finish, Hold, Pause, Send, Step
from tollgate_sandbox.transport import Wire


class Holds:
    """Names that responses wait for. A name stays released, so that the order of the two requests does not matter."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def get(self, name: str) -> asyncio.Event:
        """What to wait for."""
        return self._events.setdefault(name, asyncio.Event())

    def release(self, name: str) -> None:
        """Let every response that waits for the name go on."""
        self.get(name).set()


async def walk(steps: Iterable[Step], wire: Wire, holds: Holds, entry: Entry) -> None:
    """Do the steps in turn, up to the first that ends the response."""
    for step in steps:
        match step:
            case Send(data, event):
                await wire.write(data)
                entry.events += event
            case Pause(seconds):
                await wire.pause(seconds)
            case Hold(name):
                await wire.hold(holds.get(name))
            case Abort():
                await wire.abort()
            case Finish(whole):
                await wire.finish()
                entry.complete = whole
                return


async def after_a_wait(steps: Iterable[Step], wire: Wire, holds: Holds) -> list[Step]:
    """Do the waits that come before the first byte, and return the rest: a provider that thinks sends no head yet."""
    rest = list(steps)
    while rest and isinstance(rest[0], (Pause, Hold, Abort)):
        match rest.pop(0):
            case Pause(seconds):
                await wire.pause(seconds)
            case Hold(name):
                await wire.hold(holds.get(name))
            case _:
                await wire.abort()
    return rest
