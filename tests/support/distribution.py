"""How tests are spread over the processes of pytest-xdist, the workers."""

import os
import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

#: Each has an API server and a PostgreSQL of its own as soon as it needs one, and those take memory.
_MOST_WORKERS = 4
#: A module that takes minutes, begun last, would leave the other workers with nothing to do.
_BEFORE_ALL = "tests/cluster/test_operator.py::"
#: Tests of a system in one metering mode. The `gateway` of tests/integration is shared by its modules.
_MODE = re.compile(r"^tests/integration/test_\w+\.py::.*\[(stream|native)\b")


def workers() -> int:
    """For ``-n auto``: one per core. Goldens are rewritten in one process, as some have several tests."""
    return 0 if os.environ.get("UPDATE_GOLDENS") else min(os.cpu_count() or 1, _MOST_WORKERS)


def reorder(items: list[pytest.Item]) -> None:
    """In place; the same in every worker."""
    items.sort(key=lambda item: not item.nodeid.startswith(_BEFORE_ALL))


class Distribution(LoadScopeScheduling):
    """A worker is given all tests that share something slow to start. In the order of collection: whole systems come
    before small tests, so that those even out the end."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/chaos/"):  # each starts a system of its own
            return nodeid
        if mode := _MODE.match(nodeid):
            return mode[1]
        return nodeid.partition("::")[0]
