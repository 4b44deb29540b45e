"""Threads that send side by side. Each payment provider has a crew of its own, so that one that is slow keeps none of
the others waiting, and a crew is given more to do before it has done what it has: what a provider allows is used."""

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition
from types import TracebackType
from typing import Any

#: In each crew; those that wait for an answer do not compute.
_THREADS = 8
#: Given out at once at most, of which most wait for a thread.
_AHEAD = 4 * _THREADS
_FEW = _AHEAD // 2


class Crew:
    """Of one provider. ``underway`` by what was given out, until it was collected."""

    def __init__(self, name: str) -> None:
        self.underway: dict[str, Future[Any]] = {}
        #: There was less to do than there was room for.
        self.idle = False
        self._pool = ThreadPoolExecutor(_THREADS, f"sender {name}")

    def give(self, what: str, job: Callable[[], object], done: Callable[[], None]) -> None:
        """It is done by the next thread that is free."""
        future = self.underway[what] = self._pool.submit(job)
        future.add_done_callback(lambda _: done())

    def collect(self) -> list[BaseException]:
        """What has ended makes room; why some of it failed."""
        ended = {what: future for what, future in self.underway.items() if future.done()}
        for what in ended:
            del self.underway[what]
        return [error for future in ended.values() if (error := future.exception()) is not None]

    def is_hungry(self) -> bool:
        """Whether it has room, and there was more to do when that was asked last."""
        return not self.idle and sum(not future.done() for future in self.underway.values()) <= _FEW

    def end(self) -> None:
        """After what is underway; what waits for a thread is left undone."""
        self._pool.shutdown(cancel_futures=True)


class Crews:
    """By provider. A context manager, used by one thread."""

    def __init__(self) -> None:
        self._crews: dict[str, Crew] = {}
        self._ended = Condition()

    def __enter__(self) -> "Crews":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for crew in self._crews.values():
            crew.end()

    def feed(self, providers: Collection[str], more: Callable[[str, int], dict[str, Callable[[], object]]]) -> None:
        """``more`` answers what a provider is to be asked, at most so many, by its name; what is underway may be among
        them. Raises what a job raised, after all have been fed."""
        errors: list[BaseException] = []
        for provider in providers:
            crew = self._crews.get(provider)
            if crew is None:
                crew = self._crews[provider] = Crew(provider)
            errors += crew.collect()
            if len(crew.underway) > _FEW:
                continue
            jobs = more(provider, _AHEAD)
            crew.idle = len(jobs) < _AHEAD
            for what, job in jobs.items():
                if what not in crew.underway:
                    crew.give(what, job, self._tell)
        if errors:
            raise errors[0]

    def are_busy(self) -> bool:
        """Whether anything is underway."""
        return any(crew.underway for crew in self._crews.values())

    def wait(self, seconds: float) -> None:
        """Until a crew is hungry, at most so long."""
        with self._ended:
            self._ended.wait_for(lambda: any(crew.is_hungry() for crew in self._crews.values()), seconds)

    def _tell(self) -> None:
        with self._ended:
            self._ended.notify_all()
