"""The suite makes a namespace and a release in whatever cluster KUBECONFIG names: only where one asks for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e_cluster.cluster import Cluster
from tests.support.manifests import example_documents

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A KUBECONFIG in somebody's shell is no invitation: TOLLGATE_E2E=1 is."""
    if os.environ.get("TOLLGATE_E2E") == "1":
        return
    ours = [item for item in items if _HERE in item.path.parents]
    items[:] = [item for item in items if item not in ours]
    config.hook.pytest_deselected(items=ours)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A release with default values, ready, with the examples programmed. KEEP=1 leaves it there."""
    found = Cluster(f"tollgate-e2e-{os.getpid()}")
    try:
        found.install("--set", "gateway.drainSeconds=60", "--set", "gateway.terminationGracePeriodSeconds=110")
        documents = example_documents()
        for document in documents:
            if document["kind"] == "Subscription":
                document["spec"]["secretName"] = f"{document['metadata']['name']}-key"
        found.apply(documents)
        yield found
    finally:
        directory = tmp_path_factory.mktemp("cluster")
        found.report(directory)
        print(f"what the cluster was like at the end: {directory}")
        if os.environ.get("KEEP") != "1":
            found.remove()
