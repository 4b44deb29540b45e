"""The chart with default values on an API server of its own: all namespaces are watched. From the docs alone."""

import base64
import copy
import json
import subprocess
from collections.abc import Iterator

import pytest
import trustme
import yaml

from tests.support.calls import CHAT, chat_body
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.release import Release
from tests.support.manifests import Document, example_documents, find, resource
from tests.support.sdk import stream_text
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for

#: Gateway API's own is large; this is what its ReferenceGrant looks like to us.
GRANT_CRD: Document = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "referencegrants.gateway.networking.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"},
    },
    "spec": {
        "group": "gateway.networking.k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "ReferenceGrant", "plural": "referencegrants", "singular": "referencegrant"},
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def release(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    directory = tmp_path_factory.mktemp("default")
    with ApiServer(directory / "api", api_server.programs) as server:
        server.add_kinds("-f", "-", input=json.dumps(GRANT_CRD))
        with Release(server, directory / "release", server.namespace("tollgate")) as running:
            # Without those who collect: they would be asked for an account with made-up keys.
            server.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(example_documents()))
            running.wait_ready()
            running.wait_for("condition=Programmed", "api,product,billablemetric,price,subscription", "--all")
            yield running


def test_the_examples_end_in_a_metered_and_billed_stream(release: Release) -> None:
    assert stream_text(release.url, release.key("acme-openai"))
    release.assert_exact()
    with release.billing() as billing:
        invoice = billing.get("/v1/subscriptions/acme-openai/invoice").raise_for_status().json()
    assert {line["metric"] for line in invoice["lines"]} >= {"input-tokens", "output-tokens"}


def test_examples_applied_at_once_give_no_false_warnings(release: Release) -> None:
    team = release.server.namespace("again")
    documents = [d for d in example_documents() if d["kind"] not in {"API", "Secret"}]
    secret = find(example_documents(), "Secret", "upstream-keys")
    apis = [copy.deepcopy(d) for d in example_documents() if d["kind"] == "API"]
    for api in apis:
        api["spec"]["pathPrefix"] = f"/again{api['spec']['pathPrefix']}"
    command = [str(release.server.programs.kubectl), f"--kubeconfig={release.server.kubeconfig}", "apply", "-n", team]
    done = subprocess.run(
        [*command, "-f", "-"],
        input=yaml.safe_dump_all([secret, *apis, *documents]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "there is no" not in done.stderr
    release.server.kubectl("delete", "namespace", team, "--wait=false")


def test_a_customers_namespace_subscribes_where_a_grant_allows_it(release: Release) -> None:
    team = release.server.namespace("customer")
    one = resource(
        "Subscription", "ours", product="openai-payg", productNamespace="default", customer={"id": "c"},
        secretName="ours-key",
    )  # fmt: skip
    release.apply([one], team)

    def reason() -> str:
        status = release.server.kubectl.get("subscription/ours", "-n", team).get("status", {})
        return next((c["reason"] for c in status.get("conditions", []) if c["type"] == "ResolvedRefs"), "")

    assert wait_for(lambda: reason() == "RefNotPermitted", 15), reason()
    grant = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "customers"},
        "spec": {
            "from": [{"group": "tollgate.dev", "kind": "Subscription", "namespace": team}],
            "to": [{"group": "tollgate.dev", "kind": "Product"}],
        },
    }
    release.apply([grant], "default")
    assert wait_for(lambda: reason() == "ResolvedRefs", 15), reason()
    release.server.kubectl("wait", "-n", team, "--for=condition=Programmed", "subscription/ours", "--timeout=20s")
    key = base64.b64decode(release.server.kubectl.get("secret/ours-key", "-n", team)["data"]["api-key"]).decode()
    answer = loopback.post(release.url + CHAT, json=chat_body(), headers={"authorization": f"Bearer {key}"}, timeout=30)
    assert answer.status_code == 200
    release.server.kubectl("delete", "referencegrant", "customers", "-n", "default")
    assert wait_for(lambda: reason() == "RefNotPermitted", 15)
    release.server.kubectl("delete", "namespace", team, "--wait=false")


def test_what_envoy_refuses_is_named_and_everybody_else_goes_on(release: Release) -> None:
    """A certificate authority that is no PEM passes every schema; Envoy says no."""
    good = trustme.CA().cert_pem.bytes().decode()
    secret: Document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "authority"}}
    api = resource(
        "API",
        "private",
        pathPrefix="/private",
        upstream={"url": "https://10.9.9.9", "tls": {"caSecretKeyRef": {"name": "authority", "key": "ca.crt"}}},
        endpoints=[{"name": "x", "path": "/x"}],
    )
    release.apply([{**secret, "stringData": {"ca.crt": good}}, api])
    release.wait_for("condition=Programmed", "api/private")
    release.apply([{**secret, "stringData": {"ca.crt": "this is no certificate"}}])
    assert wait_for(lambda: release.condition("api/private", "Programmed")[1] == "Rejected", 20), release.logs()
    assert "authority" in release.condition("api/private", "Programmed")[2]
    changed = copy.deepcopy(find(example_documents(), "API", "openai"))
    changed["spec"]["rejectionRules"][0]["message"] = "Others go on."
    release.apply([changed])
    release.wait_for("condition=Programmed", "api/openai")
    auth = {"authorization": f"Bearer {release.key('acme-openai')}"}
    retired = chat_body(model="gpt-retired")
    # Programmed is Envoy's word; the gate looks for a new catalog four times a second.
    assert wait_for(
        lambda: "Others go on." in loopback.post(release.url + CHAT, json=retired, headers=auth, timeout=30).text, 10
    )
    assert loopback.post(release.url + CHAT, json=chat_body(), headers=auth, timeout=30).status_code == 200
    release.apply([{**secret, "stringData": {"ca.crt": good}}])
    release.wait_for("condition=Programmed", "api/private")
    events = release.server.kubectl("get", "events", "-n", "default")
    assert "Rejected" in events
    release.server.kubectl("delete", "api/private", "secret/authority", "-n", "default")
