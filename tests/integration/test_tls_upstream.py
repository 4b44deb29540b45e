"""An upstream behind TLS: verified, and refused where its certificate is not trusted."""

import copy
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
import uvicorn

from tests.support.calls import CHAT, chat_body, headers, request_id
from tests.support.gateway import Gateway
from tests.support.manifests import Document, example_documents, find
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import free_port, wait_for
from tollgate_sandbox.app import create_app
from tollgate_sandbox.settings import Settings


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def upstream(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The simulated provider, over TLS as localhost."""
    directory = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("localhost")
    chain, key = directory / "chain.pem", directory / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    port = free_port()
    config = uvicorn.Config(
        create_app(Settings()), port=port, ssl_certfile=chain, ssl_keyfile=key, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert wait_for(lambda: server.started, 10)
    yield f"https://localhost:{port}"
    server.should_exit = True
    thread.join(10)


def documents(upstream: str, pem: str) -> list[Document]:
    found = copy.deepcopy(example_documents())
    find(found, "API", "openai")["spec"]["upstream"] = {
        "url": upstream,
        "tls": {"caSecretKeyRef": {"name": "upstream-ca", "key": "ca.pem"}},
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "upstream-ca"}, "stringData": {"ca.pem": pem}}
    return [*found, secret]


def test_an_upstream_is_called_only_where_its_certificate_is_trusted(
    tmp_path: Path, authority: trustme.CA, upstream: str
) -> None:
    stranger = trustme.CA().cert_pem.bytes().decode()
    with Gateway(tmp_path, documents(upstream, stranger)) as gateway:

        def call() -> httpx.Response:
            auth = headers(gateway, "acme-openai")
            return loopback.post(gateway.url + CHAT, headers=auth, json=chat_body(), timeout=30)

        refused = call()
        assert refused.status_code == 503
        assert "error" in refused.json()
        assert gateway.event(request_id(refused))["data"].get("quantities", {}) == {}
        gateway.edit(documents(upstream, authority.cert_pem.bytes().decode()))
        assert wait_for(lambda: call().status_code == 200, 15)
        assert gateway.event(request_id(call()))["data"]["quality"] == "exact"
