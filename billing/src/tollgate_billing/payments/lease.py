"""Until when a worker may send what it has claimed. One that was held up for longer finds the row taken over, and must
not go on where it was: the check is made right before a request leaves."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

_still_mine: ContextVar[Callable[[], bool]] = ContextVar("still_mine", default=lambda: True)


@contextmanager
def sending_while(still_mine: Callable[[], bool]) -> Generator[None]:
    """Around all that is sent for one row, in one thread."""
    before = _still_mine.set(still_mine)
    try:
        yield
    finally:
        _still_mine.reset(before)


def may_send() -> bool:
    """Whether nobody else can have taken over what is being sent; True for whoever has claimed nothing."""
    return _still_mine.get()()
