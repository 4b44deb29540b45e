"""A few workers for all owners of expressions, shared out fairly.

Next is always the owner who has had the least time so far, and no owner has all workers: so one whose programs are slow
waits for itself, and delays others by one evaluation at most.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import structlog

from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.budget.worker import TIME, StoppedError, Worker

_log = structlog.get_logger("expressions")
#: So much of one owner may wait in memory.
_MOST_WAITING, _MOST_WAITING_BYTES = 4096, 64 << 20


class BusyError(Exception):
    """No worker was free in time."""


@dataclass
class _Owner:
    used: float = 0.0
    running: int = 0
    waiting_bytes: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])

    @property
    def is_idle(self) -> bool:
        return not self.running and not self.waiting


class Pool:
    """Workers start when they are first needed, and again in place of one that was killed."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._free: list[Worker] = []
        self._running = 0
        self._owners: dict[str, _Owner] = {}
        self._tasks: set[asyncio.Task[bytes]] = set()

    async def run(self, owner: str, payload: bytes, patience: float) -> bytes:
        """The answer to a task. Raises BusyError, or StoppedError where it took too much."""
        await self._turn(owner, len(payload), patience)
        # It goes on where the caller is gone: a worker must be done with a task before it takes the next one.
        task = asyncio.ensure_future(self._run(owner, payload))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: "asyncio.Task[bytes]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # heard, also where the caller is gone

    async def _run(self, owner: str, payload: bytes) -> bytes:
        clock = asyncio.get_running_loop().time
        worker: Worker | None = None
        began = clock()
        try:
            worker = self._free.pop() if self._free else await self._start()
            began = clock()
            try:
                answer = await worker.ask(payload)
            except StoppedError as stopped:
                if worker.is_fresh or stopped.reason == TIME:
                    raise
                # What others left in its memory, or what ended it while it was idle, is not this task's fault.
                await worker.close()
                worker = await self._start()
                answer = await worker.ask(payload)
            worker.is_fresh = False
        except BaseException:
            if worker is not None:
                await worker.close()
            raise
        else:
            self._free.append(worker)
            return answer
        finally:
            self._leave(owner, clock() - began)

    async def _start(self) -> Worker:
        try:
            return await Worker.start(self._budget)
        except (OSError, TimeoutError, EOFError, StoppedError) as error:
            _log.error("a worker for expressions did not start", error=repr(error))
            raise BusyError from error

    async def _turn(self, name: str, size: int, patience: float) -> None:
        owner = self._owners.get(name)
        if owner is None:
            least = min((other.used for other in self._owners.values()), default=0.0)
            owner = self._owners[name] = _Owner(least)
        if self._may_run(owner) and not owner.waiting:
            self._enter(owner)
            return
        if owner.waiting and (len(owner.waiting) >= _MOST_WAITING or owner.waiting_bytes + size > _MOST_WAITING_BYTES):
            raise BusyError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        owner.waiting.append(turn)
        owner.waiting_bytes += size
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it was given its turn just as it gave up
                self._leave(name, 0.0)
            else:
                owner.waiting.remove(turn)
                self._forget(name)
            if isinstance(error, TimeoutError):
                raise BusyError from None
            raise
        finally:
            owner.waiting_bytes -= size

    def _may_run(self, owner: _Owner) -> bool:
        most = max(1, self._budget.workers - 1)
        return self._running < self._budget.workers and owner.running < most

    def _enter(self, owner: _Owner) -> None:
        owner.running += 1
        self._running += 1

    def _leave(self, name: str, seconds: float) -> None:
        owner = self._owners[name]
        owner.used += seconds
        owner.running -= 1
        self._running -= 1
        self._forget(name)
        while ready := [other for other in self._owners.values() if other.waiting and self._may_run(other)]:
            chosen = min(ready, key=lambda other: other.used)
            turn = chosen.waiting.popleft()
            self._enter(chosen)
            turn.set_result(None)

    def _forget(self, name: str) -> None:
        if self._owners[name].is_idle:
            del self._owners[name]

    async def close(self) -> None:
        """End the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._free:
            await worker.close()
