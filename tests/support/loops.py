"""Loops of billing that run as in its process."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class Loop(Protocol):
    """Runs until it is told to stop."""

    def run(self, stop: threading.Event) -> None:
        """In a thread of its own."""
        ...


@contextmanager
def running(loop: Loop) -> Generator[threading.Thread]:
    """Its thread; stopped in the end, which takes no long time."""
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
