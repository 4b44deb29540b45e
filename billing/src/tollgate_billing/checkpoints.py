"""Named points at which a test may end the process, to prove that nothing is lost or counted twice there.

Code calls an injected ``Checkpoint``; in production it is ``no_checkpoint``. Only tests set TOLLGATE_CRASH_AT.
"""

import os
from collections.abc import Callable

Checkpoint = Callable[[str], None]


def no_checkpoint(name: str) -> None:
    """Goes on."""
    del name


def crash_at(chosen: str) -> Checkpoint:
    """A checkpoint that ends the process at one point, as a SIGKILL would: no cleanup, no flushing."""

    def checkpoint(name: str) -> None:
        if name == chosen:
            os._exit(137)

    return checkpoint if chosen else no_checkpoint
