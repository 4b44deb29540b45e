"""What every test needs before anything is imported, and how tests are spread over processes."""

import atexit
import os
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.support import skipped

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

    from tests.support.distribution import Distribution

# The embedded PostgreSQL keeps a lock file in the runtime directory, looked up at import. Without one it would share
# /tmp with whoever ran the tests before, possibly another user.
if "XDG_RUNTIME_DIR" not in os.environ:
    _runtime = tempfile.mkdtemp(prefix="tollgate-run-")
    os.mkdir(os.path.join(_runtime, "python_PostgresServer"))
    os.environ["XDG_RUNTIME_DIR"] = _runtime
    atexit.register(shutil.rmtree, _runtime, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    from tests.support import distribution  # noqa: PLC0415 (only where tests are distributed)

    return distribution.workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Distribution":
    from tests.support import distribution  # noqa: PLC0415

    return distribution.Distribution(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        from tests.support import distribution  # noqa: PLC0415

        distribution.reorder(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController") -> None:
    skipped.hear(node.config, getattr(node, "workeroutput", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped.tell(terminalreporter)
