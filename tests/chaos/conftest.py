"""Each test breaks a system of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway
from tests.support.manifests import example_documents

#: The short form, for every run. The rest is slow: the other metering mode of the same faults, and those that tests of
#: billing or of a cluster try too.
_SHORT = {
    "test_clients_that_leave[native]",
    "test_a_component_that_is_killed_again_and_again[native-witness]",
    "test_redis_that_is_killed_and_has_lost_its_last_second[stream]",
    "test_envoy_that_is_killed_leaves_every_admitted_request_labelled[stream]",
    "test_two_workers_share_every_limit",
}


@pytest.fixture(params=["stream", "native"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    """The examples in one mode; holds and joins are short, so that the last resort is reached in a test's time."""
    with Gateway(tmp_path, example_documents(request.param), join_grace_seconds=2) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/chaos" in str(item.path):
            item.add_marker(pytest.mark.chaos)
            if item.name not in _SHORT:
                item.add_marker(pytest.mark.slow)
