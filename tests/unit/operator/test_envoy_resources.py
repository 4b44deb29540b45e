"""Envoy's resources: a golden of the examples, accepted by the real Envoy; secrets only in SDS."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.manifests import EXAMPLES, example_documents, find, resource, write
from tollgate_cli.laptop.locate import find_envoy
from tollgate_operator.control_loop import reconcile
from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.envoy.resources import CLUSTER, LISTENER, ROUTES, SECRET, build_messages
from tollgate_operator.reconcile.index import Index
from tollgate_operator.sources import FileSource, Loaded

GOLDEN = Path(__file__).parents[2] / "data" / "envoy" / "examples.json"
TLS_GOLDEN = GOLDEN.with_name("tls_listener.json")
SETTINGS = GatewaySettings(
    "127.0.0.1",
    8080,
    ("unix:/run/tollgate/gate0.sock",),
    ("unix:/run/tollgate/meter0.sock",),
    "/var/log/tollgate/access.log",
    host_aliases={"sandbox.localhost": "127.0.0.1:9999"},
)


def messages(directory: Path) -> dict[str, dict[str, Any]]:
    state = reconcile(FileSource(directory).load(), None, SETTINGS)
    built = build_messages(Index(state.resources), SETTINGS)
    return {url: {n: json.loads(m.to_json()) for n, m in sorted(group.items())} for url, group in built.items()}


def test_the_examples_give_the_golden_configuration() -> None:
    text = json.dumps(messages(EXAMPLES), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "if the change is meant: UPDATE_GOLDENS=1 make test"


def test_a_gateway_with_tls_gives_the_golden_listener() -> None:
    """The certificate comes by SDS: the listener waits for it, and a renewal changes nothing but the secret."""
    tls = replace(SETTINGS, tls=True, certificate=("a chain", "a key"))
    state = reconcile(Loaded(), None, tls)
    built = build_messages(Index(state.resources), tls)
    [listener] = [json.loads(m.to_json()) for m in built[LISTENER].values()]
    shown = {
        "transportSocket": listener["filterChains"][0]["transportSocket"],
        "secrets": {name: json.loads(m.to_json()) for name, m in built[SECRET].items()},
    }
    text = json.dumps(shown, indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDENS"):
        TLS_GOLDEN.write_text(text)
    assert text == TLS_GOLDEN.read_text(), "if the change is meant: UPDATE_GOLDENS=1 make test"
    del listener["filterChains"][0]["transportSocket"]
    [plain] = build_messages(Index(state.resources), SETTINGS)[LISTENER].values()
    assert listener == json.loads(plain.to_json())
    renewed = reconcile(Loaded(), state, replace(tls, certificate=("another chain", "another key"))).envoy.by_type
    assert [url for url, group in renewed.items() if group != state.envoy.by_type[url]] == [SECRET]
    waiting = reconcile(Loaded(), None, replace(tls, certificate=None)).envoy.by_type
    assert waiting[SECRET] == {}
    assert waiting[LISTENER] == state.envoy.by_type[LISTENER]


def test_secrets_are_in_sds_alone() -> None:
    built = messages(EXAMPLES)
    secrets = json.dumps(built.pop(SECRET))
    assert "sk-demo-upstream-openai" in secrets
    assert "sk-demo" not in json.dumps(built)


def test_envoy_accepts_listener_routes_and_clusters(tmp_path: Path) -> None:
    built = messages(EXAMPLES)
    [listener] = built[LISTENER].values()
    manager = listener["filterChains"][0]["filters"][0]["typedConfig"]
    del manager["rds"]
    [manager["routeConfig"]] = built[ROUTES].values()
    manager["accessLog"][0]["typedConfig"]["path"] = str(tmp_path / "access.log")
    config = {
        "node": {"id": "test", "cluster": "test"},
        "staticResources": {"listeners": [listener], "clusters": list(built[CLUSTER].values())},
        "dynamicResources": {
            "adsConfig": {
                "apiType": "GRPC",
                "transportApiVersion": "V3",
                "grpcServices": [{"envoyGrpc": {"clusterName": "tollgate/gate"}}],
            }
        },
    }
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(config))
    command = [str(find_envoy(None)), "--mode", "validate", "-c", str(file), "--use-dynamic-base-id"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize(
    ("url", "cluster_type", "secure"),
    [
        ("https://api.example.com", "LOGICAL_DNS", True),
        ("http://models.example.com:11434/base", "LOGICAL_DNS", False),
        ("https://10.0.0.1:8443", "EDS", True),
        ("http://sandbox.localhost", "EDS", False),
    ],
)
def test_any_upstream_gets_its_cluster(tmp_path: Path, url: str, cluster_type: str, secure: bool) -> None:
    documents = example_documents()
    find(documents, "API", "openai")["spec"]["upstream"]["url"] = url
    cluster = messages(write(tmp_path, documents))[CLUSTER]["api/openai"]
    assert cluster["type"] == cluster_type
    assert ("transportSocket" in cluster) == secure


def test_a_service_is_called_by_its_cluster_name(tmp_path: Path) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "llm"}, "spec": {"ports": [{"port": 8080}]}}
    api = resource(
        "API",
        "inside",
        pathPrefix="/inside",
        upstream={"serviceRef": {"name": "llm", "port": 8080, "path": "/base"}},
        endpoints=[{"name": "chat", "path": "/v1/chat"}],
    )
    found = messages(write(tmp_path, [service, api]))
    [locality] = found[CLUSTER]["api/inside"]["loadAssignment"]["endpoints"]
    address = locality["lbEndpoints"][0]["endpoint"]["address"]["socketAddress"]
    assert (address["address"], address["portValue"]) == ("llm.default.svc.cluster.local", 8080)
    [host] = found[ROUTES]["tollgate"]["virtualHosts"]
    action = next(route for route in host["routes"] if route["name"] == "inside/chat")["route"]
    assert action["hostRewriteLiteral"] == "llm.default.svc.cluster.local:8080"
    assert action["regexRewrite"]["substitution"] == "/base"


def test_a_literal_path_comes_before_a_parameter(tmp_path: Path) -> None:
    api = resource(
        "API",
        "mixed",
        upstream={"url": "http://127.0.0.1:1"},
        endpoints=[{"name": "any", "path": "/v1/{id}"}, {"name": "one", "path": "/v1/models"}],
    )
    routes = messages(write(tmp_path, [api]))[ROUTES]["tollgate"]["virtualHosts"][0]["routes"]
    assert [route["name"] for route in routes] == ["mixed/one", "mixed/any", "/"]


def test_a_host_has_its_own_routes_and_then_those_of_wider_names(tmp_path: Path) -> None:
    hosts = {"any": "*", "wide": "*.a.test", "named": "llm.a.test", "other": "b.test"}
    apis = [
        resource("API", name, hostnames=[host], upstream={"url": "http://127.0.0.1:1"},
                 endpoints=[{"name": "same", "path": "/same"}])
        for name, host in hosts.items()
    ]  # fmt: skip
    found = {
        host["domains"][0]: [route["name"].removesuffix("/same") for route in host["routes"]]
        for host in messages(write(tmp_path, apis))[ROUTES]["tollgate"]["virtualHosts"]
    }
    assert found == {
        "*": ["any", "/"],
        "*.a.test": ["wide", "any", "/"],
        "llm.a.test": ["named", "wide", "any", "/"],
        "b.test": ["other", "any", "/"],
    }


def test_what_is_put_together_from_parts_is_the_whole(tmp_path: Path) -> None:
    """Each API is encoded by itself, and only where it changed."""
    documents = example_documents()
    find(documents, "API", "openai")["spec"]["hostnames"] = ["openai.example", "other.example"]
    state = reconcile(FileSource(write(tmp_path, documents)).load(), None, SETTINGS)
    index = Index(state.resources)
    whole = build_messages(index, SETTINGS)
    assert {url: set(group) for url, group in whole.items()} == {u: set(g) for u, g in state.envoy.by_type.items()}
    for url, group in whole.items():
        for name, message in group.items():
            assert type(message).parse(state.envoy.by_type[url][name]) == type(message).parse(bytes(message))


def test_an_edit_of_one_api_encodes_one(tmp_path: Path) -> None:
    documents = example_documents()
    source = FileSource(write(tmp_path, documents))
    first = reconcile(source.load(), None, SETTINGS)
    find(documents, "API", "openai")["spec"]["pathPrefix"] = "/moved"
    write(tmp_path, documents)
    kept = {**source.load().resources, **{k: v for k, v in first.resources.items() if k != ("API", "openai")}}
    second = reconcile(Loaded(kept), first, SETTINGS)
    made_again = {name for name, part in second.envoy.parts.items() if part is not first.envoy.parts[name]}
    assert made_again == {"openai"}
    assert b"/moved" in second.envoy.by_type[ROUTES]["tollgate"]
    assert second.envoy == reconcile(Loaded(kept), None, SETTINGS).envoy
