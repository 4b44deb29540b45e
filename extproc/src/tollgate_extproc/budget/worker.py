"""A worker process, seen from its parent."""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.budget.tasks import LENGTH

_CHILD = "tollgate_extproc.budget.child"
_START_SECONDS = 30.0
#: Nothing that goes through a gateway is larger.
_LARGEST_ANSWER = 64 << 20
TIME, _MEMORY, _ENDED = "time", "memory", "ended"


class StoppedError(Exception):
    """The process is gone. ``reason`` is time, memory, or ended (by something else)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Worker:
    """Takes one task at a time. After a StoppedError it is of no use any more."""

    def __init__(self, process: Process, budget: Budget) -> None:
        self._process = process
        self._budget = budget
        #: Whether earlier tasks may have left something in its memory.
        self.is_fresh = True

    @staticmethod
    async def start(budget: Budget) -> "Worker":
        """Ready for a task. Nothing of this process is handed on: no environment, no open file."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-B", "-m", _CHILD, str(budget.cpu_ms), str(budget.memory_bytes)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # jq writes there, and could write a body
            env={},
        )
        worker = Worker(process, budget)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker._receive()
        except BaseException:
            worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def ask(self, payload: bytes) -> bytes:
        """The answer. Raises StoppedError where there is none in time."""
        assert self._process.stdin is not None  # noqa: S101
        try:
            async with asyncio.timeout(self._budget.clock_seconds(len(payload))):
                self._process.stdin.write(LENGTH.pack(len(payload)) + payload)
                await self._process.stdin.drain()
                return await self._receive()
        except TimeoutError:
            self.kill()
            await self._process.wait()
            raise StoppedError(TIME) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise StoppedError(_reason(await self._process.wait())) from None

    async def _receive(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        length = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))[0]
        if length > _LARGEST_ANSWER:
            self.kill()
            await self._process.wait()
            raise StoppedError(_MEMORY)
        return await self._process.stdout.readexactly(length)

    async def close(self) -> None:
        """Kill it, and wait until it is gone."""
        self.kill()
        await self._process.communicate()

    def kill(self) -> None:
        """At once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def _reason(code: int) -> str:
    if code == -signal.SIGPROF:
        return TIME
    return _ENDED if code in {0, -signal.SIGKILL, -signal.SIGTERM} else _MEMORY
