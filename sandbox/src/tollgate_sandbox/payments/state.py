"""A state file that survives a restart."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from tollgate_sandbox.jsons import Json, as_object, dumps, loads

DEBOUNCE_SECONDS = 0.05
SHARE = 9
"""A large state is written more rarely, so that writing takes at most a tenth of the time."""


class StateFile:
    """Writes the whole state shortly after a change, replacing the file so that a reader sees all of it or none."""

    def __init__(self, path: Path | None, dump: Callable[[], Json]) -> None:
        self._path = path
        self._dump = dump
        self._timer: asyncio.TimerHandle | None = None
        self._pause = DEBOUNCE_SECONDS

    def load(self) -> Json | None:
        """What was saved, or None at the first start; raises ValueError when the file holds something else."""
        if self._path is None or not self._path.exists():
            return None
        state = as_object(loads(self._path.read_bytes()))
        if "objects" not in state:
            raise ValueError(f"{self._path} is no state of a simulator")
        return state

    def touch(self) -> None:
        """Something changed."""
        if self._path is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self.flush)

    def flush(self) -> None:
        """Write now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._path is not None:
            started = time.monotonic()
            beside = self._path.with_name(self._path.name + ".new")
            beside.write_bytes(dumps(self._dump()))
            os.replace(beside, self._path)
            self._pause = max(DEBOUNCE_SECONDS, SHARE * (time.monotonic() - started))
