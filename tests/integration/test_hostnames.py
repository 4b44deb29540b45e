"""Which API answers on which host: the one that names it most closely, and on it also those of wider names."""

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway
from tests.support.manifests import Document, resource
from tollgate_cli.laptop import loopback


def api(name: str, host: str, *paths: str) -> Document:
    """It says its name."""
    made = resource("API", name, hostnames=[host], pathPrefix="/v1", upstream={"url": "http://sandbox.localhost"})
    made["spec"]["endpoints"] = [{"name": f"e{n}", "path": path} for n, path in enumerate(paths)]
    made["spec"]["rejectionRules"] = [{"when": "true", "status": 418, "message": f"this is {name}"}]
    return made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    apis = [
        api("any", "*", "/shared", "/of-any", "/of-two"),
        api("wide", "*.example.test", "/shared", "/of-wide", "/of-two"),
        api("wider", "*.test", "/shared", "/of-wider"),
        api("named", "llm.example.test", "/shared", "/{parameter}/own"),
    ]
    product = resource("Product", "all", endpoints=[{"api": found["metadata"]["name"]} for found in apis])
    subscription = resource("Subscription", "one", product="all", customer={"id": "c"})
    with Gateway(tmp_path_factory.mktemp("hosts"), [*apis, product, subscription]) as running:
        yield running


@pytest.mark.parametrize("port", ["", ":8443"])
@pytest.mark.parametrize(
    ("host", "path", "name"),
    [
        ("llm.example.test", "shared", "named"),
        ("llm.example.test", "x/own", "named"),
        ("llm.example.test", "of-wide", "wide"),
        ("llm.example.test", "of-two", "wide"),
        ("llm.example.test", "of-wider", "wider"),
        ("llm.example.test", "of-any", "any"),
        ("a.example.test", "shared", "wide"),
        ("a.example.test", "of-any", "any"),
        ("a.example.test", "x/own", ""),
        ("other.test", "shared", "wider"),
        ("other.test", "of-wide", ""),
        ("elsewhere", "shared", "any"),
        ("elsewhere", "of-wider", ""),
    ],
)
def test_the_closest_name_wins_and_wider_ones_answer_the_rest(
    gateway: Gateway, host: str, port: str, path: str, name: str
) -> None:
    auth = {"authorization": f"Bearer {gateway.key('one')}", "host": host + port}
    answer = loopback.post(f"{gateway.url}/v1/{path}", json={}, headers=auth, timeout=30)
    assert answer.status_code == (418 if name else 404), answer.text
    assert f"this is {name}" in answer.text or not name
