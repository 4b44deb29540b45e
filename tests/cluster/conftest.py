"""One Kubernetes API server for all tests here that one process runs; each test takes a namespace of its own."""

import os
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from tests.support.helm import Helm
from tests.support.kubernetes import ApiServer, Binaries, BinariesUnavailableError, binaries
from tests.support.skipped import Skipped, remember

_FOUND = pytest.StashKey[Binaries | str]()
_FIXTURES = {"api_server", "helm"}


def _needs_server(item: pytest.Item) -> bool:
    return not _FIXTURES.isdisjoint(cast("list[str]", getattr(item, "fixturenames", ())))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find or build the programs before the first test: a build takes minutes, and a test may take 180 s. Only once it
    is known that a test needs them, so that ``pytest tests/unit`` and ``-m slow`` never wait. Printed as it goes, to
    standard error: a worker's standard output leads nowhere."""
    needed = sum(_needs_server(item) for item in session.items)
    if not needed or session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            session.config.stash[_FOUND] = binaries(lambda line: print(line, file=sys.stderr, flush=True))
    except BinariesUnavailableError as error:
        session.config.stash[_FOUND] = str(error)
        remember(session.config, Skipped(needed, str(error)))


@pytest.fixture(scope="session")
def api_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A running API server. Without its programs the test is skipped, or fails where TOLLGATE_REQUIRE_CLUSTER=1."""
    with ApiServer(tmp_path_factory.mktemp("kubernetes"), _programs(request)) as server:
        yield server


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    return Helm(_programs(request).helm, tmp_path_factory.mktemp("helm"))


def _programs(request: pytest.FixtureRequest) -> Binaries:
    found = request.config.stash[_FOUND]
    if isinstance(found, str):
        if os.environ.get("TOLLGATE_REQUIRE_CLUSTER") == "1":
            pytest.fail(found, pytrace=False)
        pytest.skip("no Kubernetes API server; how to get one is said at the end")
    return found
