"""Threads that ask payment providers side by side. Each provider has a crew of its own, so that one that is slow keeps
none of the others waiting, and a crew is given more to do before it has done what it has: what a provider allows is
used."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition
from types import TracebackType
from typing import Any, TypeAlias

#: In each crew; those that wait for an answer do not compute.
_THREADS = 8
#: With no more than these underway a crew is given more.
_FEW = 2 * _THREADS
#: By what is done: jobs of one provider, and whether there may be more of them.
Jobs: TypeAlias = tuple[Mapping[str, Callable[[], object]], bool]


class Crew:
    """Of one provider. ``underway`` by what was given out, until it was collected."""

    def __init__(self, name: str) -> None:
        self.underway: dict[str, Future[Any]] = {}
        #: There was nothing more to do when that was asked last.
        self.idle = False
        self._pool = ThreadPoolExecutor(_THREADS, f"crew {name}")

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
        return not self.idle and self.unfinished() <= _FEW

    def unfinished(self) -> int:
        """How much is underway that has not ended."""
        return sum(not future.done() for future in self.underway.values())

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

    def feed(self, providers: Collection[str], more: Callable[[str], Jobs]) -> None:
        """``more`` answers what a provider is to be asked; what is underway may be among it, and is not done twice at
        once. Raises what a job raised, after all have been fed."""
        errors = [error for crew in self._crews.values() for error in crew.collect()]
        for provider in providers:
            crew = self._crews.get(provider)
            if crew is None:
                crew = self._crews[provider] = Crew(provider)
            if len(crew.underway) > _FEW:
                continue
            jobs, may_be_more = more(provider)
            new = {what: job for what, job in jobs.items() if what not in crew.underway}
            crew.idle = not (may_be_more and new)
            for what, job in new.items():
                crew.give(what, job, self._tell)
        if errors:
            raise errors[0]

    def are_busy(self) -> bool:
        """Whether anything is underway."""
        return any(crew.underway for crew in self._crews.values())

    def wait(self, seconds: float) -> None:
        """Until a crew is hungry or all is done, at most so long."""
        with self._ended:
            self._ended.wait_for(self._has_news, seconds)

    def _has_news(self) -> bool:
        crews = self._crews.values()
        return any(crew.is_hungry() for crew in crews) or not any(crew.unfinished() for crew in crews)

    def _tell(self) -> None:
        with self._ended:
            self._ended.notify_all()
