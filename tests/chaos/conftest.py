"""Each test breaks a system of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway
from tests.support.manifests import example_documents


@pytest.fixture(params=["stream", "native"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    """The examples in one mode; holds and joins are short, so that the last resort is reached in a test's time."""
    with Gateway(tmp_path, example_documents(request.param), join_grace_seconds=2) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/chaos" in str(item.path):
            item.add_marker(pytest.mark.chaos)
