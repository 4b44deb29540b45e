"""Systems that several tests share."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway
from tests.support.manifests import example_documents


@pytest.fixture(scope="session", params=["stream", "native"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The examples, with every API metered in one mode."""
    mode: str = request.param
    with Gateway(tmp_path_factory.mktemp(mode), example_documents(mode)) as running:
        yield running
